/** The documents of the deployment: arithmetic, tables, promised bounds, and the commands that a person pastes. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tableNames } from '../../infra/backup/rows.ts';
import { dailyMessage } from '../../src/functions/triggers/dailyPass.ts';
import { blocksIn, codeIn, filled, sectionsOf } from './commandBlocks.ts';
import { asShipped, deployments, everything, ownNetwork } from './deployment.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const inEveryShell = namesSet(
  sectionsOf(read('docs/deploy.md')).find(({ title }) => title === 'In every shell')?.text ?? '',
);

describe('infra/customer/README.md', () => {
  const bounds = /^## Bounds$([\s\S]*?)^## /m.exec(read('docs/states-and-bounds.md'))?.[1] ?? '';
  const readme = read('infra/customer/README.md');

  it('infra/customer/README.md promises, for each way to cut the service off, the bound of docs/states-and-bounds.md', () => {
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
    ['finds new versions within (\\d+) s', 'every event lost'],
    ['no unwrapped account key outlives (\\d+) s', 'no unwrapped account key in any process'],
    ['; (\\d+) s where the vault\\s+cannot be reached', 'when the vault is unreachable too'],
    ['work again within (\\d+) s', 'access back → Enabled'],
  ])('infra/customer/README.md promises what the bounds say: %s', (promise, row) => {
    const line = bounds.split('\n').find((one) => one.includes(row));
    expect(new RegExp(promise).exec(readme)?.[1]).toBe(/\| (\d+) s \|$/.exec(line ?? '')?.[1]);
  });
});

describe.each(['docs/size-and-cost.md', 'docs/capacity.md'])('%s', (document) => {
  it(`${document} calculates right: every sum in its tables`, () => {
    const sums = [...read(document).matchAll(/\| ([\d,][\d,.·+ ]*) = ([\d,]+)(?= \|)/g)];
    expect(sums.length).toBeGreaterThan(7);
    const number = (text: string) => Number(text.replaceAll(',', ''));
    const product = (text: string) => text.split('·').reduce((value, factor) => value * number(factor), 1);
    for (const [, left = '', right = ''] of sums) {
      const sum = left.split('+').reduce((value, term) => value + product(term), 0);
      // Only sizes of logs have fractions.
      expect(Math.round(sum), left).toBe(number(right));
    }
  });
});

describe('docs/size-and-cost.md', () => {
  it('docs/size-and-cost.md counts the alert rules and how often they run as the templates deploy them', () => {
    const text = read('docs/size-and-cost.md');
    const rules = asShipped.of('Microsoft.Insights/scheduledQueryRules');
    const every = (frequency: string) => rules.filter(({ properties }) => properties.evaluationFrequency === frequency);
    expect(text).toContain(`${every('PT5M').length} every 5 minutes, ${every('PT15M').length} every 15 |`);
    expect(text).toContain(`fixed: ${rules.length} rules`);
    expect(every('PT5M').length + every('PT15M').length).toBe(rules.length);
    const often = everything
      .of('Microsoft.Insights/scheduledQueryRules')
      .filter(({ properties }) => properties.evaluationFrequency === 'PT5M');
    expect(text).toContain(`\`alertFrequency = 'PT15M'\` leaves ${often.length} rules that run every 5`);
  });

  it('docs/size-and-cost.md counts the private endpoints as the templates deploy them', () => {
    const endpoints = ownNetwork.of('Microsoft.Network/privateEndpoints').map(({ name }) => name.split('-').at(-1));
    // This deployment has no recovery vault of its own, which is one more.
    const ofServices = endpoints.filter((group) => group !== 'sites').length + 1;
    expect(read('docs/size-and-cost.md')).toContain(`fixed, with private networks: ${ofServices}, and 1 with`);
  });
});

describe('docs/backup-and-restore.md', () => {
  const text = read('docs/backup-and-restore.md');

  it('docs/backup-and-restore.md lists every table that is backed up, and every table is, except those without lasting content', () => {
    const tables = [...read('docs/storage.md').matchAll(/^\| `(keyward\w+)` \|/gm)].map(([, name = '']) => name);
    const withoutLastingContent = ['keywardoverview'];
    const saved = [...tableNames];
    expect(saved.toSorted(), 'Add the table to infra/backup/rows.ts').toEqual(
      tables.filter((name) => !withoutLastingContent.includes(name)).toSorted(),
    );
    const listed = text.split('\n').flatMap((line) => {
      const [, cell = ''] = /^\| (`keyward.*?) \|/.exec(line) ?? [];
      return [...cell.matchAll(/`(keyward\w+)`/g)].map(([, name]) => name);
    });
    expect(listed).toEqual(saved);
    const [, emptied = ''] = /for table in ([\w ]+); do/.exec(text) ?? [];
    expect(emptied.split(' ').map((name) => `keyward${name}`)).toEqual(saved);
  });

  it('docs/backup-and-restore.md starts the daily pass after a restore with a message that the app accepts', () => {
    const [, content = ''] = /--queue-name daily-pass --content (\S+)/.exec(text) ?? [];
    const message = JSON.parse(Buffer.from(content, 'base64').toString('utf8'));
    expect(dailyMessage.safeParse(message).success).toBe(true);
    expect(message).toEqual({ visit: 'accounts' });
  });
});

describe('docs/deploy.md', () => {
  it('docs/deploy.md names the version of the Azure CLI and the number of deployments that were checked', () => {
    const [major, minor] = JSON.parse(read('test/az/commands.json')).version.split('.');
    const text = read('docs/deploy.md');
    expect(text).toContain(`exists in Azure CLI ${major}.${minor}.`);
    expect(deployments).toHaveLength(6);
    expect(text).toContain('evaluates six deployments');
  });

  it('docs/deploy.md asks for the version of the Azure CLI that the scripts require', () => {
    const [, least] = /^least_az=(.+)$/m.exec(read('infra/az.sh')) ?? [];
    expect(read('docs/deploy.md')).toContain(`azure/install-azure-cli) ${least} or newer`);
  });
});

/** A parameter file is written by the documents, and its outputs are read by their commands. */
describe('the documents', () => {
  const main = JSON.parse(read('infra/main.json'));
  const documents = globSync('{docs,infra}/**/*.md', { cwd: root });

  it('the documents name only parameters that infra/main.bicep has', () => {
    const named = documents.flatMap((path) =>
      [...read(path).matchAll(/\bparam (\w+)|`(\w+) = (?:'|\[|true|false|\d)/g)].map(([, a, b]) => a ?? b),
    );
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !Object.hasOwn(main.parameters, name ?? ''))).toEqual([]);
  });

  it('the documents read only outputs that infra/main.bicep has', () => {
    const outputs = documents.flatMap((path) => namesIn(blocksIn(read(path)), /(?:\$\(|^)output (\w+)/gm));
    expect(outputs.length).toBeGreaterThan(8);
    expect(outputs.filter((name) => !Object.hasOwn(main.outputs, name))).toEqual([]);
  });
});

/** A shell that is opened later has none of the names of an earlier one, except those of "In every shell". */
describe.each(['docs/deploy.md', 'docs/networks.md', 'docs/backup-and-restore.md', 'infra/customer/README.md'])(
  'the commands of %s',
  (path) => {
    const sections = sectionsOf(read(path));

    // zsh runs a comment as a command, and fails on a pattern without a match, as a person has it by default on macOS.
    it(`the commands of ${path} can be pasted into zsh: they have no comments and no unquoted patterns`, () => {
      const plain = blocksIn(read(path)).flatMap((block) =>
        filled(block)
          .replaceAll(/'[^']*'|"(?:\\.|\$\([^)]*\)|[^"\\])*"/g, 'quoted')
          .replaceAll(/\$\{[^}]*\}/g, 'value')
          .split('\n'),
      );
      expect(plain.filter((line) => /(^|\s)#|[?*[\]]/.test(line))).toEqual([]);
    });

    // zsh takes `$NAME:e` for the extension of a file name, in quotes too. `${NAME}:e` is safe.
    it(`the commands of ${path} can be pasted into zsh: no name is followed by a colon and a letter`, () => {
      expect(blocksIn(read(path)).flatMap((block) => block.match(/\$\w+:[A-Za-z]/g) ?? [])).toEqual([]);
    });

    it.each(sections.map(({ title, text }) => [title, text]))(
      `the commands of ${path} have a value for each name that they use under "%s", there or in what is run first`,
      (_, section) => {
        const used = namesIn(codeIn(section), /\$\{?([A-Z][A-Z_]+)/g);
        const set = [...namesSet(section), ...(path === 'infra/customer/README.md' ? [] : inEveryShell)];
        expect(used.filter((name) => !set.includes(name))).toEqual([]);
      },
    );
  },
);

function namesIn(codes: readonly string[], form: RegExp): string[] {
  return codes.flatMap((code) => [...code.matchAll(form)].map(([, name = '']) => name));
}

function namesSet(section: string): string[] {
  return namesIn(codeIn(section), /(?:^|[\s"`(])([A-Z][A-Z_]+)=/gm);
}
