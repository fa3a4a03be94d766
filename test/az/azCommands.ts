/**
 * Checks `az` commands against the Azure CLI's own reference. `commands.json` holds the options of each command:
 * aliases after `|`, and `!` after a required one.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const reference: { readonly commands: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(fileURLToPath(new URL('commands.json', import.meta.url)), 'utf8'),
);

/** https://learn.microsoft.com/cli/azure/use-azure-cli-successfully: options of every command. */
const ofEvery = [
  '--debug',
  '--help',
  '-h',
  '--only-show-errors',
  '--output',
  '-o',
  '--query',
  '--verbose',
  '--subscription',
];

/** The `az` commands of a shell text, including those inside `$(…)`. A command ends where the shell ends it. */
export function azCommandsIn(shell: string): string[] {
  const text = shell.replaceAll(/\s*\\\n\s*/g, ' ').replaceAll(/<[^<>\n]*>/g, 'PLACEHOLDER');
  return [...text.matchAll(/(?<![\w./-])az(?= [a-z])/g)].map(({ index }) =>
    text.slice(index, endOf(text, index)).trim(),
  );
}

function endOf(text: string, start: number): number {
  let quote = '';
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at] ?? '';
    if (quote === "'") quote = char === quote ? '' : quote;
    else if (text.startsWith('$(', at)) depth++;
    else if (char === ')' && depth > 0) depth--;
    else if (depth > 0) continue;
    else if (quote === '"') quote = char === quote ? '' : quote;
    else if (char === "'" || char === '"') {
      // After a word it ends a quoted text that contains the command: fail 'Log in first: az login'.
      if (/[\w.>)]/.test(text[at - 1] ?? '')) return at;
      quote = char;
    } else if ('\n|;&)`'.includes(char)) return at;
  }
  return text.length;
}

/** A group of commands, or a command without options, is a name in a sentence. */
export const isName = (command: string): boolean =>
  Object.keys(reference.commands).some((known) => `az ${known} `.startsWith(`${command} `));

/** The answer of the Azure CLI to a command that it does not accept; undefined for one that it accepts. */
export function refusalOf(command: string): string | undefined {
  const words = wordsOf(command).slice(1);
  const length = words.findIndex((word) => word.startsWith('-'));
  const named = length === -1 ? words : words.slice(0, length);
  const options = reference.commands[named.join(' ')];
  if (options === undefined) return `'${named.join(' ')}' is no command: ${command}`;
  const taken = options.split(' ').filter((option) => option !== '');
  const aliases = taken.flatMap((option) => option.replace('!', '').split('|'));
  const given = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*/s, ''));
  const unknown = given.filter((option) => !aliases.includes(option) && !ofEvery.includes(option));
  if (unknown.length > 0) return `unrecognized arguments: ${unknown.join(' ')}: ${command}`;
  const missing = taken
    .filter((option) => option.endsWith('!'))
    .map((option) => option.slice(0, -1).split('|'))
    .filter((names) => !names.some((name) => given.includes(name)));
  if (missing.length > 0) return `the following arguments are required: ${missing.map(([name]) => name)}: ${command}`;
  return undefined;
}

/** Words as a shell splits them, with a placeholder for each value that the shell would insert. */
function wordsOf(command: string): string[] {
  const plain = command.replaceAll(/\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)/g, 'INSERTED');
  return plain.match(/(?:'[^']*'|"(?:\\.|[^"])*"|[^\s'"])+/gs) ?? [];
}
