/** The deployment templates, as far as they can be checked without Azure's own compiler; the public workflow runs that one. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tableNames } from '../infra/backup/rows.ts';
import { defaultPolicy } from '../src/core/base/policy.ts';
import { roles as appRoles } from '../src/functions/pipeline/route.ts';
import { bodyOf, type Declaration, everyNode, type Node, parseBicep } from './infra/bicep.ts';
import { apiVersions, bicepFunctions, roles } from './infra/known.ts';
import { settingRows, settingsInSource, sourceOfApp } from './settings.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Template {
  readonly path: string;
  readonly all: readonly Declaration[];
}

const templates: readonly Template[] = globSync('infra/**/*.{bicep,bicepparam}', { cwd: root })
  // Somebody's own.
  .filter((path) => path !== 'infra/production.bicepparam')
  .toSorted()
  .map((path) => ({ path, all: parseBicep(read(path)) }));
const template = (path: string): Template => {
  const found = templates.find((one) => one.path === path);
  if (found === undefined) throw new Error(`${path} is not there.`);
  return found;
};
const of = ({ all }: Template, ...keywords: string[]) => all.filter(({ keyword }) => keywords.includes(keyword));
/** Of what is computed: the names in a type are of Bicep's own. */
const nodesOf = ({ all }: Template): Node[] =>
  all.flatMap(({ keyword, value }) => (value === undefined || keyword === 'type' ? [] : [...everyNode(value)]));
const variable = (path: string, name: string): Declaration => {
  const found = of(template(path), 'var').find((one) => one.name === name);
  if (found === undefined) throw new Error(`${path} has no var ${name}.`);
  return found;
};

describe('the reader of templates', () => {
  it.each([
    ['a string without its end', "var a = 'b\n"],
    ['an object without its end', 'var a = {\n  b: 1\n'],
    ['an array without its end', 'var a = [\n  1\n'],
    ['a property that is there twice', 'var a = {\n  b: 1\n  b: 2\n}\n'],
    ['two properties in one line without a comma', 'var a = { b: 1 c: 2 }\n'],
    ['a bracket too many', 'var a = [1]]\n'],
  ])('refuses %s', (_, source) => {
    expect(() => parseBicep(source)).toThrow(/^line \d/);
  });
});

describe.each(templates)('$path', (one) => {
  it('uses only names that it declares, and declares none that it does not use', () => {
    const declared = of(one, 'param', 'var', 'resource', 'module').map(({ name }) => name);
    const inner = nodesOf(one).flatMap((node) =>
      node.kind === 'for' ? node.names : node.kind === 'function' ? [node.parameter] : [],
    );
    const used = nodesOf(one).flatMap((node) => (node.kind === 'name' ? [node.name] : []));
    expect(used.filter((name) => ![...declared, ...inner].includes(name))).toEqual([]);
    if (one.path.endsWith('.bicepparam')) return;
    // A resource is there for its own sake, unless it is only looked up.
    const forUse = one.all.filter(({ keyword, isExisting }) => keyword === 'param' || keyword === 'var' || isExisting);
    expect(forUse.map(({ name }) => name).filter((name) => !used.includes(name))).toEqual([]);
  });

  it('calls only functions that Bicep has', () => {
    const called = nodesOf(one).flatMap((node) => (node.kind === 'call' ? [node.name] : []));
    expect(called.filter((name) => !bicepFunctions.has(name))).toEqual([]);
  });

  it('names only types and API versions that were looked up', () => {
    const types = of(one, 'resource').map(({ type }) => type);
    expect(types.filter((type) => !apiVersions.has(type))).toEqual([]);
  });

  it('gives roles by the ids that were looked up', () => {
    const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
    const ids = of(one, 'var').flatMap(({ name, value }) =>
      value?.kind === 'text' && isId.test(value.text) ? [[name, value.text]] : [],
    );
    expect(ids).toEqual(ids.map(([name = '']) => [name, roles[name]]));
    const given = of(one, 'resource').filter(({ type }) => type.startsWith('Microsoft.Authorization/roleAssignments@'));
    // Whose id stands in the place, instead of a name, would not have been compared.
    const inPlace = given.flatMap(({ value }) =>
      value === undefined ? [] : [...everyNode(value)].filter((node) => node.kind === 'text' && isId.test(node.text)),
    );
    expect(inPlace).toEqual([]);
  });

  // Azure refuses to change the principal of a role assignment: what is made anew needs one of another name.
  it('names each role assignment by its principal as well', () => {
    const given = of(one, 'resource').filter(({ type }) => type.startsWith('Microsoft.Authorization/roleAssignments@'));
    const nameless = given.filter(({ value }) => {
      const principal = JSON.stringify(bodyOf(bodyOf(value).get('properties')).get('principalId'));
      const name = bodyOf(value).get('name');
      return name?.kind !== 'call' || !name.arguments.some((part) => JSON.stringify(part) === principal);
    });
    expect(nameless.map(({ name }) => name)).toEqual([]);
  });

  // MicrosoftDocs/azure-docs, event-grid/enable-identity-system-topics.md, "Global Azure sources".
  it('gives an identity to nothing that is in no region', () => {
    const global = of(one, 'resource').filter(({ value }) => {
      const location = bodyOf(value).get('location');
      return location?.kind === 'text' && location.text === 'global';
    });
    expect(global.filter(({ value }) => bodyOf(value).has('identity')).map(({ name }) => name)).toEqual([]);
    // And what hangs on one has none to use.
    const names = global.map(({ name }) => name);
    const below = of(one, 'resource').filter(({ value }) => {
      const parent = bodyOf(value).get('parent');
      return parent?.kind === 'name' && names.includes(parent.name);
    });
    const usesIdentity = below.filter(({ value }) =>
      [...bodyOf(bodyOf(value).get('properties')).keys()].some((key) => key.endsWith('WithResourceIdentity')),
    );
    expect(usesIdentity.map(({ name }) => name)).toEqual([]);
  });

  it('puts no secret out', () => {
    const secure = of(one, 'param')
      .filter(({ decorators }) => decorators.includes('secure'))
      .map(({ name }) => name);
    const outputs = of(one, 'output').flatMap(({ value }) => (value === undefined ? [] : [...everyNode(value)]));
    const told = outputs.flatMap((node) =>
      node.kind === 'name' || node.kind === 'member' || node.kind === 'call' ? [node.name] : [],
    );
    expect(told.filter((name) => secure.includes(name))).toEqual([]);
    expect(told.filter((name) => /^list|connectionString|instrumentationKey|password|secret|sas/i.test(name))).toEqual(
      [],
    );
    // Nor is a key read anywhere else.
    expect(nodesOf(one).filter((node) => node.kind === 'call' && /^list/.test(node.name))).toEqual([]);
  });

  it('passes each module, or template, what it asks for, and nothing else', () => {
    for (const { name, type, value } of of(one, 'module', 'using')) {
      const path = relative(root, join(root, dirname(one.path), type));
      expect(existsSync(join(root, path)), `${one.path}: ${path}`).toBe(true);
      const parameters = of(template(path), 'param');
      const passed =
        name === 'using'
          ? of(one, 'param').map((given) => given.name)
          : [...bodyOf(bodyOf(value).get('params')).keys()];
      expect(
        passed.filter((given) => !parameters.some((asked) => asked.name === given)),
        `${name}: not asked for`,
      ).toEqual([]);
      const required = parameters.filter((asked) => asked.value === undefined).map((asked) => asked.name);
      expect(
        required.filter((asked) => !passed.includes(asked)),
        `${name}: not given`,
      ).toEqual([]);
    }
  });

  it('reads only outputs that its modules have', () => {
    const modules = new Map(of(one, 'module').map(({ name, type }) => [name, join(dirname(one.path), type)]));
    const missing = nodesOf(one).flatMap((node) => {
      if (node.kind !== 'member' || node.of.kind !== 'member' || node.of.name !== 'outputs') return [];
      const path = node.of.of.kind === 'name' ? modules.get(node.of.of.name) : undefined;
      const outputs = path === undefined ? [] : of(template(path), 'output').map(({ name }) => name);
      return outputs.includes(node.name) ? [] : [`${path}: ${node.name}`];
    });
    expect(missing).toEqual([]);
  });

  it('names and tags everything that can have tags', () => {
    const tagged =
      /^Microsoft\.(EventGrid\/(systemTopics|topics)|Insights\/(actionGroups|components|scheduledQueryRules)|KeyVault\/vaults|KeyVault\/vaults\/keys|OperationalInsights\/workspaces|Storage\/storageAccounts|Web\/(serverfarms|sites))@/;
    const made = of(one, 'resource').filter(({ isExisting }) => !isExisting);
    expect(made.filter(({ value }) => !bodyOf(value).has('name'))).toEqual([]);
    expect(
      made.filter(({ type, value }) => tagged.test(type) && !bodyOf(value).has('tags')).map(({ name }) => name),
    ).toEqual([]);
  });
});

describe('the app settings', () => {
  const file = 'infra/modules/app.bicep';
  const inVariable = (name: string): string[] => [...bodyOf(variable(file, name).value).keys()];
  const read_ = settingsInSource();
  /** A connection is read by one name and set by several: KEYWARD_DIAGNOSTICS__fullyQualifiedNamespace. */
  const readAs = (name: string): string => (read_.includes(name) ? name : name.replace(/__\w+$/, ''));
  const deployed = [...inVariable('requiredSettings'), ...inVariable('optionalSettings')].map(readAs);
  const rows = settingRows(read('docs/operations.md'));
  const developmentOnly = rows.filter(({ meaning }) => meaning.startsWith('Development only:')).map(({ name }) => name);

  it('that the code reads are deployed, unless docs/operations.md says "Development only:"', () => {
    const missing = read_.filter((name) => !deployed.includes(name) && !developmentOnly.includes(name));
    const what = `Add to ${file}: in requiredSettings or, where it may be empty, in optionalSettings; with a parameter there and in infra/main.bicep`;
    expect(missing, what).toEqual([]);
  });

  it('that are deployed are read by the code', () => {
    const unread = deployed.filter((name) => !read_.includes(name));
    expect(unread, `Nothing under src/ reads them: remove them from ${file}`).toEqual([]);
  });

  it('that are deployed are in docs/operations.md, and none for development is deployed', () => {
    const documented = rows.map(({ name }) => name);
    expect(
      deployed.filter((name) => !documented.includes(name)),
      'Add a row to "Settings" of docs/operations.md',
    ).toEqual([]);
    expect(deployed.filter((name) => developmentOnly.includes(name))).toEqual([]);
  });

  it('that docs/operations.md calls required are deployed without a condition', () => {
    const required = rows.filter(({ meaning }) => /^Required[.:]/.test(meaning)).map(({ name }) => name);
    // One of them is required with bearer tokens only.
    const always = required.filter((name) => name !== 'KEYWARD_AUTH_AUDIENCE');
    expect(inVariable('requiredSettings')).toEqual(expect.arrayContaining(always));
  });

  it('that only the Functions host reads have their own table in docs/operations.md', () => {
    const [, table = ''] = /^### The Functions host's own$([\s\S]*?)^##/m.exec(read('docs/operations.md')) ?? [];
    const told = [...table.matchAll(/^\| `(\w+)` \| /gm)].map(([, name = '']) => name);
    expect(told.toSorted()).toEqual(inVariable('platformSettings').toSorted());
    expect(told.filter((name) => read_.includes(name))).toEqual([]);
  });

  it('of the policy are the names that infra/main.bicep takes, all of them: others are refused', () => {
    const found = of(template('infra/main.bicep'), 'type').find(({ name }) => name === 'policyNumbers');
    expect(found?.decorators).toContain('sealed');
    expect([...bodyOf(found?.value).keys()].toSorted()).toEqual(Object.keys(defaultPolicy).toSorted());
    const parameter = of(template('infra/main.bicep'), 'param').find(({ name }) => name === 'policy');
    expect(parameter?.type).toBe('policyNumbers');
  });
});

describe('the alerts', () => {
  const [, section = ''] = /^## What to watch$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(read('docs/operations.md')) ?? [];
  const { value } = variable('infra/modules/alerts.bicep', 'alerts');
  const queries = (value?.kind === 'array' ? value.items : []).map((item) => {
    const query = bodyOf(item).get('query');
    return query?.kind === 'text' ? query.text : '';
  });
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  const firstCells = (row: string) => row.split(' | ').slice(0, 2).join(' | ');

  it('watch every log line that docs/operations.md says to watch, also where a row names several', () => {
    const signals = rows.filter((row) => /^\| log (?:error|warning|line) /.test(row)).map((row) => row.split(' | ')[0]);
    const others = rows.filter((row) => !row.startsWith('| log ')).map(firstCells);
    const lines = [...signals, ...others].flatMap((text = '') =>
      [...text.matchAll(/(?<!= )`([A-Z][a-z]*(?: [^`]+)?)`/g)].map(([, message = '']) => message),
    );
    const source = sourceOfApp();
    const messages = lines.filter((line) => source.includes(`'${line}'`));
    expect(messages.length).toBeGreaterThan(25);
    const watched = queries.flatMap((query) => [...query.matchAll(/startswith "([^"]+)"/g)].map(([, line]) => line));
    const missing = messages.filter((message) => !watched.includes(message));
    expect(missing, 'Add an alert to infra/modules/alerts.bicep').toEqual([]);
  });

  it('watch every metric that docs/operations.md says to watch, by the label and value that it names', () => {
    const asked = rows.flatMap((row) =>
      [
        ...firstCells(row).matchAll(/`(keyward\.[a-z.]+)`(?: with `(\w+)` = `(\w+)`(?:, or `(\w+)`)?| over (\d+))?/g),
      ].flatMap(([, metric = '', label, first, second, over]) =>
        [first, second ?? first].map((word) => [
          `tostring(fields.metric) == "${metric}"`,
          ...(label === undefined ? [] : [`tostring(fields.${label}) == "${word}"`]),
          ...(over === undefined ? [] : [`todouble(fields.value) > ${over}`]),
        ]),
      ),
    );
    expect(asked.length).toBeGreaterThan(6);
    const missing = asked.filter((parts) => !queries.some((query) => parts.every((part) => query.includes(part))));
    expect(missing, 'Add an alert to infra/modules/alerts.bicep').toEqual([]);
  });

  it('watch readiness where docs/operations.md does', () => {
    expect(rows.some((row) => row.startsWith('| readiness | 503'))).toBe(true);
    expect(queries.some((query) => query.includes('"/api/health/ready"') && query.includes('"503"'))).toBe(true);
  });
});

describe("the operator's side", () => {
  it('subscribes functions that the app registers', () => {
    const registered = [...read('src/functions/index.ts').matchAll(/app\.eventGrid\('(\w+)'/g)].map(([, name]) => name);
    const subscribed = nodesOf(template('infra/events.bicep')).flatMap((node) =>
      node.kind === 'text' ? (/^\$\{functions\}\/(\w+)$/.exec(node.text)?.[1] ?? []) : [],
    );
    expect(subscribed.toSorted()).toEqual(registered.toSorted());
  });

  it("names the operator's keys alike where they are made, granted and set", () => {
    const textsOf = (path: string, name: string) => {
      const { value } = variable(path, name);
      return value?.kind === 'array' ? value.items.map((item) => (item.kind === 'text' ? item.text : '')) : [];
    };
    const granted = textsOf('infra/modules/grants.bicep', 'operatorKeyNames');
    const made = of(template('infra/main.bicep'), 'module').find(({ name }) => name === 'operatorVault');
    const keyNames = bodyOf(bodyOf(made?.value).get('params')).get('keyNames');
    expect(
      keyNames?.kind === 'array' ? keyNames.items.map((item) => (item.kind === 'text' ? item.text : '')) : [],
    ).toEqual(granted);
    const app = of(template('infra/main.bicep'), 'module').find(({ name }) => name === 'app');
    const passed = bodyOf(bodyOf(app?.value).get('params'));
    const textsIn = (name: string) => {
      const node = passed.get(name);
      return node === undefined ? [] : [...everyNode(node)].flatMap((one) => (one.kind === 'text' ? [one.text] : []));
    };
    expect([...textsIn('systemKey'), ...textsIn('atRestKey')]).toEqual(
      granted.map((name) => `\${operatorVault.outputs.uri}keys/${name}`),
    );
    // A key that is made and granted is of no use until the app is told of it.
    const recovery = of(template('infra/main.bicep'), 'module').find(({ name }) => name === 'recovery');
    const recoveryKeys = bodyOf(bodyOf(recovery?.value).get('params')).get('keyNames');
    expect(
      recoveryKeys?.kind === 'array' && recoveryKeys.items.map((item) => item.kind === 'text' && item.text),
    ).toEqual(['recovery']);
    expect(textsIn('recoveryKey')).toContain(`\${recovery!.outputs.uri}keys/recovery`);
    const settings = bodyOf(variable('infra/modules/app.bicep', 'requiredSettings').value);
    const nameOf = (node: Node | undefined) => (node?.kind === 'name' ? node.name : '');
    expect(['KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY'].map((name) => nameOf(settings.get(name)))).toEqual([
      'systemKey',
      'atRestKey',
    ]);
  });

  it('makes the name of the storage account of small letters and digits, whatever the first part of names is', () => {
    const { value } = variable('infra/main.bicep', 'storagePrefix');
    const calls =
      value === undefined ? [] : [...everyNode(value)].flatMap((one) => (one.kind === 'call' ? one.name : []));
    expect(calls).toEqual(['toLower', 'replace']);
    const storage = of(template('infra/main.bicep'), 'module').find(({ name }) => name === 'storage');
    const name = bodyOf(bodyOf(storage?.value).get('params')).get('name');
    expect(name?.kind === 'text' && name.inside[0]).toEqual({ kind: 'name', name: 'storagePrefix' });
  });

  it('lets no identity unwrap with the system key that only speaks for an application', () => {
    const { value } = variable('infra/modules/grants.bicep', 'lookers');
    const flags =
      value === undefined ? [] : [...everyNode(value)].flatMap((one) => (one.kind === 'member' ? one.name : []));
    expect(flags).toEqual(['speaksForApplication']);
    const looks = of(template('infra/modules/grants.bicep'), 'resource').find(({ name }) => name === 'controlLooks');
    expect(looks?.value?.kind === 'for' && looks.value.over).toEqual({ kind: 'name', name: 'lookers' });
  });
});

describe('infra/customer/README.md', () => {
  const bounds = /^## Bounds$([\s\S]*?)^## /m.exec(read('docs/architecture.md'))?.[1] ?? '';
  const readme = read('infra/customer/README.md');

  it('promises, for each way to cut the service off, the bound of docs/architecture.md', () => {
    const told = [...readme.matchAll(/^\| .+ \| `(\w+)` \| (\d+) s.* \|$/gm)].map(([, cause, seconds]) => [
      cause,
      seconds,
    ]);
    expect(told.map(([cause]) => cause)).toEqual(
      expect.arrayContaining([
        'KeyDisabled',
        'KeyNotFound',
        'KeyOperationNotAllowed',
        'KeyPermissionDenied',
        'VaultNotFound',
      ]),
    );
    for (const [cause = '', seconds] of told) {
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
    const tables = [...read('docs/architecture.md').matchAll(/^\| `(keyward\w+)` \|/gm)].map(([, name = '']) => name);
    // What is lost without harm.
    const leftOut: readonly string[] = ['keywardoperations'];
    const saved = [...tableNames];
    expect(saved.toSorted(), 'Add the table to infra/backup/rows.ts').toEqual(
      tables.filter((name) => !leftOut.includes(name)).toSorted(),
    );
    const [, section = ''] = /^## Back up and restore$([\s\S]*?)^## /m.exec(text) ?? [];
    const told = section.split('\n').flatMap((line) => {
      const [, cell = ''] = /^\| (`keyward.*?) \|/.exec(line) ?? [];
      return [...cell.matchAll(/`(keyward\w+)`/g)].map(([, name]) => name);
    });
    expect(told).toEqual(saved);
    const [, emptied = ''] = /for table in ([\w ]+); do/.exec(section) ?? [];
    expect(emptied.split(' ').map((name) => `keyward${name}`)).toEqual(saved);
  });

  it('gives every app role of the API', () => {
    const text = read('docs/deploy.md');
    const given = [...text.matchAll(/"value":"([\w.]+)"/g)].map(([, value]) => value);
    expect(given, 'Add the role to roles.json in docs/deploy.md').toEqual(expect.arrayContaining([...appRoles]));
  });
});

/** Whoever comes back has none of the names of the last time. */
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
