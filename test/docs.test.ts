/** Compares the documents with the code: everything that both say must be equal. */
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSettings, settingOfPolicy } from '../src/azure/settings.ts';
import { announcementSchema } from '../src/core/announcements/announcementSchema.ts';
import { appendEntry, emptyChain, erasedEntry } from '../src/core/audit/auditEntry.ts';
import { auditTypes, sensitiveCalls } from '../src/core/audit/auditFacts.ts';
import { flawNames } from '../src/core/audit/chainCheck.ts';
import { type Bytes, bytesOf, hex } from '../src/core/base/bytes.ts';
import { actorOf, causes, classOf, isCause, remedyOf } from '../src/core/base/causes.ts';
import { actorOfError, errorCodes, meaningOfError, remedyOfError, statusOf } from '../src/core/base/errorCatalogue.ts';
import { defaultPolicy } from '../src/core/base/policy.ts';
import {
  accountKeyPayload,
  formatInner,
  type Kek,
  sealAtRest,
  sealBySystemRing,
} from '../src/core/crypto/accountKeyEnvelope.ts';
import { checkNames } from '../src/core/customerKey/validationReport.ts';
import { roles } from '../src/functions/pipeline/caller.ts';
import { settingRows, settingsInSource, sourceOfApp } from './settings.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const packages = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));
const folders = ['.', 'docs', 'docs/decisions', 'infra/customer'].map((folder) => join(root, folder));
const documents = [...folders, ...packages].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => relative(root, join(folder, name))),
);

describe('docs/runbook.md', () => {
  const sections = causeSections(read('docs/runbook.md'));

  it('docs/runbook.md has one section for every cause, under its class, and no other', () => {
    const documented = sections.map(({ cause, class: group }) => `${group}/${cause}`);
    expect(documented.toSorted()).toEqual(causes.map((cause) => `${classOf(cause)}/${cause}`).toSorted());
  });

  it.each(sections)('docs/runbook.md names the actor of $cause as the code does', ({ cause, text }) => {
    if (!isCause(cause)) throw new Error(`${cause} is no cause`);
    expect(/\*\*Who acts:\*\* (\w+)/.exec(text)?.[1]).toBe(actorOf(cause));
  });

  it.each(sections)('docs/runbook.md has meaning, actor, action and effect of $cause', ({ text }) => {
    const documented = [...text.matchAll(/^- \*\*([^*]+):\*\*/gm)].map((found) => found[1]);
    expect(documented).toEqual(['Meaning', 'Who acts', 'Do', 'Effect']);
  });

  it.each(sections)('docs/runbook.md holds the command of the remedy of $cause', ({ cause, text }) => {
    if (!isCause(cause)) throw new Error(`${cause} is no cause`);
    const remedy = remedyOf(cause, {
      vaultHost: '<vault>.vault.azure.net',
      vaultName: '<vault>',
      keyName: '<key>',
      version: '<version>',
      principalId: '<principal id>',
      clientAddress: '<address>',
      identity: {
        useSystemAssignedIdentity: false,
        userAssignedIdentity: '<identity>',
        federatedIdentityClientId: '<application id>',
      },
    });
    const command = /\b(?:az|nslookup) [^;]*/.exec(remedy)?.[0] ?? '';
    expect(text).toContain(command);
  });
});

describe('docs/states-and-bounds.md', () => {
  it('INV-2: answers of every cause whether Keyward could cause it, and what excludes that', () => {
    const [, section = ''] = /## Is Keyward at fault\?\n(.*?)\n## /s.exec(read('docs/states-and-bounds.md')) ?? [];
    const rows = [...section.matchAll(/^\| (\w+) \| (?:Yes|No|Only)\b[^|]* \| [^|]+ \|$/gm)];
    expect(rows.map(([, cause]) => cause)).toEqual(causes);
  });
});

describe('docs/errors.md', () => {
  const text = read('docs/errors.md');
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \| (\w+) \| (.+) \|$/gm)];

  it('docs/errors.md has every error code once, and no other', () => {
    expect(rows.map(([, code]) => code)).toEqual(errorCodes);
  });

  it.each(errorCodes)('docs/errors.md has status and actor of %s as the code does', (code) => {
    const [, , status, actor] = rows.find((row) => row[1] === code) ?? [];
    expect([Number(status), actor]).toEqual([statusOf(code), actorOfError(code)]);
  });

  it.each(errorCodes)('docs/errors.md has meaning and remedy of %s, or links the runbook for a cause', (code) => {
    const documented = rows.find((row) => row[1] === code)?.[4];
    const link = `[runbook](runbook.md#${code.toLowerCase()})`;
    expect(documented).toBe(isCause(code) ? link : `${meaningOfError(code)} | ${remedyOfError(code)}`);
  });
});

describe('docs/settings.md', () => {
  const rows = settingRows(read('docs/settings.md'));

  it('docs/settings.md names every app role once', () => {
    const [, table = ''] = /^\| app role \|([\s\S]*?)\n\n/m.exec(read('docs/settings.md')) ?? [];
    const documented = [...table.matchAll(/^\| `([\w.]+)` \| /gm)].map((found) => found[1]);
    expect(documented.toSorted()).toEqual(roles.toSorted());
  });

  it('docs/operator-calls.md lists the checks of the dry run in their order', () => {
    const [, section = ''] = /^## Dry run$([\s\S]*?)^##/m.exec(read('docs/operator-calls.md')) ?? [];
    expect([...section.matchAll(/^\| `(\w+)` \| /gm)].map((found) => found[1])).toEqual(checkNames);
  });

  it('docs/audit.md lists the sensitive calls whose refusal is audited', () => {
    const [, section = ''] = /^## Refused calls$([\s\S]*?)^#/m.exec(read('docs/audit.md')) ?? [];
    expect([...section.matchAll(/^\| `(\w+)` \| /gm)].map(([, asked]) => asked)).toEqual(sensitiveCalls);
  });

  it('docs/audit.md explains every flaw of a chain', () => {
    const [, section = ''] = /^## When a link is broken$([\s\S]*?)^## /m.exec(read('docs/audit.md')) ?? [];
    const documented = [...section.matchAll(/^\| `(\w+)` \| /gm)].map(([, flaw]) => flaw);
    expect(documented).toEqual(flawNames);
  });

  it('docs/settings.md names every setting of the code once, and no other', () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual(settingsInSource().toSorted());
  });

  it.each(Object.entries(defaultPolicy))('docs/settings.md has the default and unit of %s', (name, fallback) => {
    const row = rows.find((one) => one.name === settingOfPolicy(name));
    const unit = name.endsWith('Seconds') ? 's' : name.endsWith('Percent') ? '%' : 'count';
    const number = { unit, fallback: String(fallback) };
    const choice = { unit: '`true`, `false`', fallback: `\`${fallback}\`` };
    expect(row).toMatchObject(typeof fallback === 'boolean' ? choice : number);
  });

  it('docs/settings.md has the default of KEYWARD_CLOUD, and requires the same settings as the code', () => {
    const required = {
      KEYWARD_TENANT_ID: '11111111-1111-4111-8111-111111111111',
      KEYWARD_SYSTEM_KEY: 'https://operator.vault.azure.net/keys/system',
      KEYWARD_AT_REST_KEY: 'https://operator.vault.azure.net/keys/at-rest',
    };
    const storage = { AzureWebJobsStorage: 'UseDevelopmentStorage=true' };
    const { KEYWARD_CLOUD } = readSettings({ ...required, ...storage });
    expect(rows.find(({ name }) => name === 'KEYWARD_CLOUD')?.fallback).toBe(`\`${KEYWARD_CLOUD}\``);
    for (const missing of Object.keys(required)) {
      const others = Object.fromEntries(Object.entries(required).filter(([name]) => name !== missing));
      expect(() => readSettings({ ...others, ...storage })).toThrow(missing);
      expect(rows.find(({ name }) => name === missing)?.meaning).toMatch(/^Required\./);
    }
  });
});

describe('docs/operations.md on logs and metrics', () => {
  const [, telemetry = ''] = /^## Telemetry$([\s\S]*?)^## Backup/m.exec(read('docs/operations.md')) ?? [];
  const code = sourceOfApp();
  const literals = (level: string) => [
    ...new Set([...code.matchAll(new RegExp(`\\b${level}\\(\\s*'([^']+)'`, 'g'))].map((found) => found[1] ?? '')),
  ];

  it('docs/operations.md names only log messages of the code, at their level', () => {
    // A row can name several messages of a level, or a line without its level.
    for (const [, level = '', names = ''] of telemetry.matchAll(/log (error|warning) ((?:`[A-Z][^`]+`(?:, )?)+)/g)) {
      const written = literals(level === 'error' ? 'error' : 'warn');
      for (const [, name] of names.matchAll(/`([^`]+)`/g)) expect(written).toContain(name);
    }
    for (const [, name = ''] of telemetry.matchAll(/(?:the |no |log )line `([A-Z][^`]+)`/g))
      expect(code).toContain(`'${name}'`);
  });

  it('docs/operations.md explains every logged error', () => {
    const explained = [...telemetry.matchAll(/`([A-Z][^`]+)`/g)].map((found) => found[1]);
    const errors = literals('log\\.error');
    expect(errors.length).toBeGreaterThan(5);
    expect(explained).toEqual(expect.arrayContaining(errors));
  });

  it('docs/operations.md has a row for every metric, and no other', () => {
    const rows = [...telemetry.matchAll(/^\| `(keyward\.[a-z.]+)` \|/gm)].map((found) => found[1]);
    const metrics = [...read('src/core/base/metrics.ts').matchAll(/readonly '(keyward\.[a-z.]+)'/g)].map(
      (found) => found[1],
    );
    expect(rows.toSorted()).toEqual(metrics.toSorted());
    const named = [...telemetry.matchAll(/`(keyward\.[a-z.]+)`/g)].map((found) => found[1]);
    expect(metrics).toEqual(expect.arrayContaining(named));
  });
});

describe('docs/events.md', () => {
  const text = read('docs/events.md');

  it('docs/events.md has an example that the schema accepts', () => {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(text) ?? [];
    const { specversion, datacontenttype, ...event } = JSON.parse(json);
    expect([specversion, datacontenttype]).toEqual(['1.0', 'application/json']);
    expect(announcementSchema.parse(event)).toEqual(event);
  });

  it('docs/events.md explains every field of the schema once, and no other', () => {
    const rows = [...text.matchAll(/^\| ((?:`\w+`(?:, )?)+) \| (?!`Keyward)/gm)].map((found) => found[1] ?? '');
    const documented = rows.flatMap((names) => [...names.matchAll(/`(\w+)`/g)].map((found) => found[1]));
    expect(documented.toSorted()).toEqual(Object.keys(announcementSchema.shape.data.shape).toSorted());
  });

  it('docs/events.md names only types of audit entries for subscriptions', () => {
    const named = [...text.matchAll(/`Keyward\.(\w+)`/g)].map((found) => found[1]);
    expect(named.length).toBeGreaterThanOrEqual(10);
    expect(auditTypes).toEqual(expect.arrayContaining(named));
  });
});

describe('docs/envelope.md', () => {
  it('docs/envelope.md names every type of an audit entry, and no other', () => {
    const [, types = ''] = /^`type` is one of ([\s\S]*?)\n\n/m.exec(read('docs/envelope.md')) ?? [];
    expect([...types.matchAll(/`(\w+)`/g)].map((found) => found[1]).toSorted()).toEqual(auditTypes.toSorted());
  });

  it('docs/envelope.md has a worked example that the code repeats byte by byte', () => {
    const example = workedExample(read('docs/envelope.md'));
    const bytes = (name: string): Bytes => bytesOf(Buffer.from(example(name), 'hex'));
    const kek = (name: string): Kek => ({ generation: 1, key: bytes(name) });
    const place = {
      instanceId: example('instance'),
      account: example('account'),
      generation: Number(example('generation')),
    };

    const payload = accountKeyPayload(place, bytes('account key'));
    const inner = sealBySystemRing(payload, place, kek('system KEK 1'), bytes('nonce, inner'));
    const outer = sealAtRest(inner, place, example('wrapped-by'), kek('at-rest KEK 1'), bytes('nonce, outer'));
    expect(hex(payload)).toBe(example('payload'));
    expect(hex(formatInner(inner))).toBe(example('inner layer'));
    expect(hex(outer)).toBe(example('outer layer'));

    const form = JSON.parse(example('canonical entry'));
    const [salt, hash] = [example('salt of entry'), example('entry hash')];
    const { chain, at, type, key } = form;
    const actor = { kind: 'principal', id: example('actor of entry') } as const;
    const random = { bytes: () => bytesOf(Buffer.from(salt, 'base64url')), uuid: () => '' };
    const entry = appendEntry(chain, emptyChain, { type, actor, key }, Date.parse(at), kek('audit KEK 1'), random);
    expect(entry).toEqual({ ...form, actor, salt, hash });
    expect(erasedEntry(entry, kek('audit KEK 1'))).toEqual({ ...form, hash, erased: example('proof of erasure') });
  });
});

describe('SECURITY.md', () => {
  const [, guarantees = ''] = read('SECURITY.md').split(/^### (?:Guarantees|Limits of these guarantees)$/m);
  const bullets = guarantees.split(/^- /m).slice(1);

  it('SECURITY.md names for each guarantee the tests that hold it, and each of them quotes the invariant of the guarantee', () => {
    expect(bullets.length).toBeGreaterThan(20);
    const unheld = bullets.filter((bullet) => {
      const files = [...bullet.matchAll(/\]\((test\/[\w/.]+)\)/g)].map(([, file = '']) => read(file));
      const ids = [...bullet.matchAll(/INV-\d+/g)].map(([id]) => id);
      return files.length === 0 || !ids.every((id) => files.some((file) => new RegExp(`${id}\\b`).test(file)));
    });
    expect(unheld).toEqual([]);
  });
});

describe.each(documents)('%s', (document) => {
  const text = read(document);

  it(`${document} links only to files and headings that exist`, () => {
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map((found) => found[1] ?? '')
      .filter((link) => !/^[a-z]+:/.test(link) && !linkHolds(document, link));
    expect(broken).toEqual([]);
  });

  it(`${document} names only source files that exist`, () => {
    const named = [...text.matchAll(/`((?:src|core|azure|functions|local|test|tools|packages)\/[\w./-]*\w)`/g)];
    const exists = (path: string) =>
      [path, join('src', path), join(dirname(document), path)].some(
        (one) => statSync(join(root, one), { throwIfNoEntry: false }) !== undefined,
      );
    expect(named.map(([, path = '']) => path).filter((path) => !exists(path))).toEqual([]);
  });

  it(`${document} names only npm scripts that exist`, () => {
    const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
    const named = [...text.matchAll(/\bnpm (?:run (?:--silent )?([\w:-]+)|(test|start)\b)/g)];
    expect(scripts).toEqual(expect.arrayContaining(named.map((found) => found[1] ?? found[2])));
  });
});

/** `docs/deploy.md, "In every shell"` in a comment, a message or the description of a parameter. */
describe('the code and the templates', () => {
  it('name only sections of the documents that exist', () => {
    const files = globSync(
      '{src,test,infra,tools,bench,packages,console,.github}/**/*.{ts,tsx,sh,bicep,bicepparam,yml}',
      {
        cwd: root,
        exclude: (name) => name.includes('node_modules') || name.includes('dist'),
      },
    );
    const named = files.flatMap((file) =>
      [...read(file).matchAll(/(docs\/[\w-]+\.md), "([^"\n]+)"/g)].map(([, document = '', title = '']) => ({
        file,
        document,
        title,
      })),
    );
    expect(named.length).toBeGreaterThan(8);
    const isMissing = (document: string, title: string) =>
      !new RegExp(`^#+ ${title.replaceAll(/[?.()]/g, '\\$&')}$`, 'm').test(read(document));
    expect(named.filter(({ document, title }) => isMissing(document, title))).toEqual([]);
  });
});

interface CauseSection {
  readonly class: string;
  readonly cause: string;
  readonly text: string;
}

function causeSections(markdown: string): CauseSection[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .flatMap((chapter) => {
      const [heading = '', ...sections] = chapter.split(/^### /m);
      const group = heading.split('\n', 1)[0] ?? '';
      return sections.map((text) => ({ class: group, cause: text.split('\n', 1)[0] ?? '', text }));
    });
}

function workedExample(markdown: string): (name: string) => string {
  const [, block = ''] = /<!-- vector -->\n```\n([\s\S]*?)\n```/.exec(markdown) ?? [];
  const lines = new Map(block.split('\n').map((line) => line.split(/ {2,}/) as [string, string]));
  return (name) => {
    const value = lines.get(name);
    if (value === undefined) throw new Error(`The worked example has no line '${name}'.`);
    return value;
  };
}

function linkHolds(document: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : join(dirname(document), path);
  if (statSync(join(root, target), { throwIfNoEntry: false }) === undefined) return false;
  return anchor === undefined || headingsOf(read(target)).includes(anchor);
}

/** The anchors that GitHub creates for headings. */
const headingsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map((found) =>
    (found[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
