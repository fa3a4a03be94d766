/** docs/deploy.md and infra/customer/README.md: arithmetic, tables, roles, and the lines that a person types. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tableNames } from '../../infra/backup/rows.ts';
import { dailyMessage } from '../../src/functions/triggers/dailyPass.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('infra/customer/README.md', () => {
  const bounds = /^## Bounds$([\s\S]*?)^## /m.exec(read('docs/states-and-bounds.md'))?.[1] ?? '';
  const readme = read('infra/customer/README.md');

  it('promises, for each way to cut the service off, the bound of docs/states-and-bounds.md', () => {
    const found = [...readme.matchAll(/^\| .+ \| `(\w+)` \| (\d+) s.* \|$/gm)].map(([, cause, seconds]) => [
      cause,
      seconds,
    ]);
    expect(found.map(([cause]) => cause)).toEqual(
      expect.arrayContaining([
        'KeyDisabled',
        'KeyNotFound',
        'KeyOperationNotAllowed',
        'KeyPermissionDenied',
        'VaultNotFound',
      ]),
    );
    for (const [cause = '', seconds] of found) {
      const row = bounds.split('\n').find((line) => /= \d+ s \|$/.test(line) && line.includes(cause));
      expect(/= (\d+) s \|$/.exec(row ?? '')?.[1], cause).toBe(seconds);
    }
  });

  it.each([
    ['New versions are found within (\\d+) s', 'every event lost'],
    ['no unwrapped account key outlives (\\d+) s', 'no unwrapped account key in any process'],
    ['; (\\d+) s where the vault cannot be reached', 'when the vault is unreachable too'],
    ['work again within (\\d+) s', 'access back → Enabled'],
  ])('promises what the bounds say: %s', (promise, row) => {
    const line = bounds.split('\n').find((one) => one.includes(row));
    expect(new RegExp(promise).exec(readme)?.[1]).toBe(/\| (\d+) s \|$/.exec(line ?? '')?.[1]);
  });
});

describe('docs/deploy.md', () => {
  it('counts right: every sum in its tables', () => {
    const sums = [...read('docs/deploy.md').matchAll(/\| ([\d,][\d,·+ ]*) = ([\d,]+)(?= \|)/g)];
    expect(sums.length).toBeGreaterThan(10);
    const number = (text: string) => Number(text.replaceAll(',', ''));
    const product = (text: string) => text.split('·').reduce((value, factor) => value * number(factor), 1);
    for (const [, left = '', right = ''] of sums) {
      const sum = left.split('+').reduce((value, term) => value + product(term), 0);
      expect(sum, left).toBe(number(right));
    }
  });

  it('tells of every table that is backed up, and every table is', () => {
    const text = read('docs/deploy.md');
    const tables = [...read('docs/storage.md').matchAll(/^\| `(keyward\w+)` \|/gm)].map(([, name = '']) => name);
    // What is lost without harm.
    const leftOut: readonly string[] = ['keywardoperations'];
    const saved = [...tableNames];
    expect(saved.toSorted(), 'Add the table to infra/backup/rows.ts').toEqual(
      tables.filter((name) => !leftOut.includes(name)).toSorted(),
    );
    const [, section = ''] = /^## Back up and restore$([\s\S]*?)^## /m.exec(text) ?? [];
    const found = section.split('\n').flatMap((line) => {
      const [, cell = ''] = /^\| (`keyward.*?) \|/.exec(line) ?? [];
      return [...cell.matchAll(/`(keyward\w+)`/g)].map(([, name]) => name);
    });
    expect(found).toEqual(saved);
    const [, emptied = ''] = /for table in ([\w ]+); do/.exec(section) ?? [];
    expect(emptied.split(' ').map((name) => `keyward${name}`)).toEqual(saved);
  });

  it('starts the daily pass after a restore with a message that the app accepts', () => {
    const [, content = ''] = /--queue-name daily-pass --content (\S+)/.exec(read('docs/deploy.md')) ?? [];
    const message = JSON.parse(Buffer.from(content, 'base64').toString('utf8'));
    expect(dailyMessage.safeParse(message).success).toBe(true);
    expect(message).toEqual({ visit: 'accounts' });
  });
});

/** A shell that is opened later has none of the names of an earlier one. */
describe.each([
  ['docs/deploy.md', 'In every shell'],
  ['infra/customer/README.md', ''],
])('the lines to type of %s', (path, common) => {
  const sections = read(path)
    .split(/^(?=## )/m)
    .slice(1);
  const codeIn = (text: string): string[] => [
    ...[...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].map(([, code = '']) => code),
    ...[...text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code),
  ];
  it('has only blocks that a shell can read', () => {
    const blocks = [...read(path).matchAll(/^( *)```sh\n([\s\S]*?)^ *```$/gm)].map(([, indent = '', code = '']) =>
      code.replaceAll(new RegExp(`^${indent}`, 'gm'), '').replaceAll(/<\w[^<>\n]*>/g, 'placeholder'),
    );
    expect(blocks.length).toBeGreaterThan(5);
    const { stderr } = spawnSync('bash', ['-n'], { input: blocks.join('\n'), encoding: 'utf8' });
    expect(stderr).toBe('');
  });

  const titleOf = (section: string): string => /^## (.+)$/m.exec(section)?.[1] ?? '';
  const namesIn = (codes: readonly string[], form: RegExp): string[] =>
    codes.flatMap((code) => [...code.matchAll(form)].map(([, name = '']) => name));
  const made = (section: string) => namesIn(codeIn(section), /(?:^|[\s"`(])([A-Z][A-Z_]+)=/gm);
  const everywhere = made(sections.find((section) => titleOf(section) === common) ?? '');

  it.each(sections.map((section) => [titleOf(section), section]))(
    'has a value for each name that it uses under "%s", there or in what is typed first',
    (_, section) => {
      const used = namesIn(codeIn(section), /\$\{?([A-Z][A-Z_]+)/g);
      expect(used.filter((name) => ![...made(section), ...everywhere].includes(name))).toEqual([]);
    },
  );
});
