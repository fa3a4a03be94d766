/** Finds the `az` commands in a text as a shell would read them, and holds them against the CLI's own options. */
import { readFileSync } from 'node:fs';

interface AzReference {
  readonly azureCli: string;
  /** Options of every command, each with its spellings. */
  readonly everywhere: readonly string[];
  /** `*--name -n: a, b`: a required option, its spellings, the accepted values. */
  readonly commands: Readonly<Record<string, readonly string[]>>;
}

export const azReference: AzReference = JSON.parse(readFileSync(new URL('./azCommands.json', import.meta.url), 'utf8'));

/** The words of one command, `az` left out. A quoted word keeps its quotes. */
export type AzCommand = readonly string[];

/** Where a word ends, and where a command does. */
const endsWord = /[\s;|&<>)`]/;
const endsCommand = /[;|&)`\n]/;

/** Every command, those inside `$(...)` included. A backslash joins lines. */
export function azCommandsIn(text: string): AzCommand[] {
  const joined = text.replaceAll(/\\\n\s*/g, ' ');
  return [...joined.matchAll(/(?<![\w./-])az (?=[a-z])/g)].map(({ index }) => wordsFrom(joined, index + 3));
}

function wordsFrom(text: string, start: number): string[] {
  const words: string[] = [];
  let at = start;
  for (;;) {
    while (text[at] === ' ') at++;
    if (at >= text.length || endsNow(text, at) || isRedirection(text.slice(at))) break;
    const end = endOfWord(text, at);
    if (end === at) break;
    const word = text.slice(at, end);
    // In a sentence the command ends at its punctuation.
    words.push(word.replace(/[,.:]$/, ''));
    if (/[,.:]$/.test(word)) break;
    at = end;
  }
  return words;
}

/** A quote at the beginning of a word opens it; right behind a word it closes what surrounds the command. */
const endsNow = (text: string, at: number): boolean =>
  /['"]/.test(text[at] ?? '') ? /\S/.test(text[at - 1] ?? '') : endsCommand.test(text[at] ?? '');

const placeholder = /^<[a-z][^<>\n]*>/;

const isRedirection = (rest: string): boolean => /^\d?[<>]/.test(rest) && !placeholder.test(rest);

function endOfWord(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const one = text[at] ?? '';
    const opens = at === start || text[at - 1] === '=';
    if (one === '"' || one === "'") {
      // One that closes what began before the command.
      if (!opens) return at;
      at = endOfQuote(text, at);
    } else if (one === '$' && text[at + 1] === '(') at = endOfSubstitution(text, at);
    else if (one === '<') at = endOfPlaceholder(text, at);
    else if (endsWord.test(one)) return at;
    else at++;
  }
  return at;
}

/** `<name of the vault>` in a document is one word. */
function endOfPlaceholder(text: string, start: number): number {
  const [found] = placeholder.exec(text.slice(start)) ?? [];
  return found === undefined ? start + 1 : start + found.length;
}

function endOfQuote(text: string, start: number): number {
  const quote = text[start];
  let at = start + 1;
  while (at < text.length && text[at] !== quote) {
    if (quote === '"' && text[at] === '$' && text[at + 1] === '(') at = endOfSubstitution(text, at);
    else at += text[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}

function endOfSubstitution(text: string, start: number): number {
  let at = start + 2;
  while (at < text.length && text[at] !== ')') at = text[at] === ' ' ? at + 1 : Math.max(endOfWord(text, at), at + 1);
  return at + 1;
}

/** What the CLI would not take; undefined: it takes the command. */
export function faultOf(command: AzCommand): string | undefined {
  const firstOption = command.findIndex((word) => word.startsWith('-'));
  const words = firstOption === -1 ? command : command.slice(0, firstOption);
  const name = nameOf(words);
  if (name === undefined) {
    // Prose names groups and whole commands without their options.
    const group = words.filter((word) => /^[a-z][a-z0-9-]*$/.test(word)).join(' ');
    const isGroup = firstOption === -1 && Object.keys(azReference.commands).some((one) => one.startsWith(`${group} `));
    return isGroup ? undefined : `no command: ${words.join(' ')}`;
  }
  if (firstOption === -1) return undefined;
  const options = [...(azReference.commands[name] ?? []), ...azReference.everywhere].map(readOption);
  const given = command.slice(firstOption);
  const used = new Set<string>();
  for (const [index, word] of given.entries()) {
    if (!/^--?[a-zA-Z]/.test(word)) continue;
    const [spelling = '', inline] = word.split('=', 2);
    const option = options.find(({ spellings }) => spellings.includes(spelling));
    if (option === undefined) return `${name} has no option ${spelling}`;
    used.add(option.spellings.join(' '));
    const value = inline ?? given[index + 1];
    if (option.values.length > 0 && value !== undefined && /^[\w-]+$/.test(value) && !value.startsWith('-')) {
      const isAccepted = option.values.some((one) => one.toLowerCase() === value.toLowerCase());
      if (!isAccepted) return `${name} ${spelling} takes ${option.values.join(', ')}, not ${value}`;
    }
  }
  const missing = options.find(({ isRequired, spellings }) => isRequired && !used.has(spellings.join(' ')));
  return missing === undefined ? undefined : `${name} needs ${missing.spellings.join(' or ')}`;
}

/** The longest command that the words begin with. */
export function nameOf(words: readonly string[]): string | undefined {
  for (let length = words.length; length > 0; length--) {
    const name = words.slice(0, length).join(' ');
    if (Object.hasOwn(azReference.commands, name)) return name;
  }
  return undefined;
}

function readOption(text: string) {
  const isRequired = text.startsWith('*');
  const [spellings = '', values = ''] = text.replace('*', '').split(': ', 2);
  return { isRequired, spellings: spellings.split(' '), values: values === '' ? [] : values.split(', ') };
}
