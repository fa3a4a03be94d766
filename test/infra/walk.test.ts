/**
 * A first deployment by the documents: every command block, in its order, in bash and in zsh. Programs that would reach
 * Azure or the network only record how they are called. The scripts of infra/ run.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { refusalOf } from '../az/azCommands.ts';
import { blocksIn, filled, sectionsOf } from './commandBlocks.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'keyward-walk-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Records the words of a call in quotes. An output of a deployment is its name. */
const recorder = `#!/bin/sh
{ printf '%s' "\${0##*/}"; for word; do printf " '%s'" "$word"; done; printf '\\0'; } >> "$RECORD"
case "\${0##*/} $*" in
  'az version'*) echo 2.60.0 ;;
  'az group exists'*) echo false ;;
  'az provider show'*) echo Registered ;;
  'az '*properties.outputs.*) echo "$*" | sed 's/.*properties.outputs.\\([A-Za-z]*\\).*/the-\\1/' ;;
  'az '*accessToken*) echo token ;;
  'az '*primaryEndpoints.table*) echo https://tables.example/ ;;
  'az '*vaultUri*) echo https://vault.example/ ;;
  'az bicep'* | *' list '*topic* | 'az '*--output*none*) ;;
  'az '*) echo id ;;
  'gh release download'*) mkdir -p build && touch build/keyward.zip ;;
esac
`;
const programs = join(folder, 'programs');
mkdirSync(programs);
for (const name of ['az', 'azd', 'gh', 'git', 'npm', 'curl', 'shasum']) {
  writeFileSync(join(programs, name), recorder);
  chmodSync(join(programs, name), 0o755);
}

const blocksOf = (title: string): readonly string[] =>
  sectionsOf(read('docs/deploy.md'))
    .filter((section) => section.title === title)
    .flatMap(({ text }) => blocksIn(text));

/** What a person runs first in each shell. */
const inEveryShell = blocksOf('In every shell');

function walk(shell: string, blocks: readonly string[]) {
  const at = mkdtempSync(join(folder, `${shell}-`));
  cpSync(join(root, 'infra'), join(at, 'infra'), { recursive: true, filter: (path) => !path.includes('/build') });
  const record = join(at, 'record');
  // The first unknown name and the first failure end it.
  const script = ['set -eu', ...blocks.map(filled)].join('\n');
  const env = { PATH: `${programs}:/usr/bin:/bin`, HOME: at, RECORD: record, RETRY_SECONDS: '0' };
  // zsh -f reads no start-up files of this machine.
  const options = shell === 'zsh' ? ['-f'] : [];
  const { status, stderr } = spawnSync(shell, [...options, '-s'], { cwd: at, env, input: script, encoding: 'utf8' });
  const calls = readFileSync(record, 'utf8').replaceAll(at, '').split('\0').filter(Boolean);
  return { status, failures: stderr.match(/.*(?:not found|unbound|not set|parse error|no matches).*/g) ?? [], calls };
}

const hasZsh = spawnSync('zsh', ['--version']).status === 0;

describe.each([
  ['docs/deploy.md', []],
  ['docs/networks.md', inEveryShell],
  ['docs/backup-and-restore.md', inEveryShell],
  ['docs/operator-keys.md', inEveryShell],
  ['docs/other-tenants.md', []],
  ['docs/runbook.md', []],
  ['infra/customer/README.md', []],
] as const)('every block of %s', (path, before) => {
  const blocks = [...before, ...blocksIn(read(path))];
  const inBash = walk('bash', blocks);

  it(`every block of ${path} runs in bash, one after the other, with a value for each name`, () => {
    expect(inBash).toMatchObject({ status: 0, failures: [] });
    expect(inBash.calls.length).toBeGreaterThan(5);
  });

  it(`every block of ${path}, and the scripts that it runs, call az with what the Azure CLI accepts`, () => {
    const ofAz = inBash.calls.filter((call) => call.startsWith('az '));
    expect(ofAz.flatMap((call) => refusalOf(unquoted(call)) ?? [])).toEqual([]);
  });

  it.runIf(hasZsh)(`every block of ${path} makes the same calls in zsh`, () => {
    expect(walk('zsh', blocks)).toEqual(inBash);
  });
});

/** The recorder quotes every word. A word with a space or another quote stays quoted. */
const unquoted = (call: string): string =>
  call.replaceAll(/'([\w./:@=,+$-]*)'/g, '$1').replaceAll(/(?<=\S)'(?=\S)/g, '');
