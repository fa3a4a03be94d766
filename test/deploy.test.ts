/** infra/deploy.sh with an `az` and an `npm` that only write down how they were called: its order, its names, its patience. */
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'keyward-deploy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Answers an output with its name, and refuses the package, or the events, as often as their file is long. */
const az = `#!/usr/bin/env bash
echo "az $*" >> ${folder}/calls
if [[ "$*" == "account show"* ]]; then [[ -e ${folder}/loggedOut ]] && exit 1; echo "the subscription"; fi
if [[ "$*" == "provider show"* ]]; then [[ "$*" == *Microsoft.App* ]] && echo NotRegistered || echo Registered; fi
if [[ "$*" == *config-zip* && -s ${folder}/package ]]; then truncate -s -1 ${folder}/package; exit 1; fi
if [[ "$*" == *keyward-events* && -s ${folder}/events ]]; then truncate -s -1 ${folder}/events; exit 1; fi
if [[ "$*" =~ outputs\\.([A-Za-z]+)\\.value ]]; then echo "the-\${BASH_REMATCH[1]}"; fi
`;
for (const [name, text] of [
  ['az', az],
  ['npm', `#!/usr/bin/env bash\necho "npm $*" >> ${folder}/calls\n`],
] as const) {
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), 0o755);
}

const parameters = join(folder, 'mine.bicepparam');
copyFileSync(`${root}infra/main.bicepparam`, parameters);

interface Situation {
  readonly package?: number;
  readonly events?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly isLoggedOut?: boolean;
  /** null: none is named. */
  readonly parameters?: string | null;
  /** The project, where it is not this one. */
  readonly at?: string;
}

async function deploy(situation: Situation = {}) {
  writeFileSync(join(folder, 'calls'), '');
  rmSync(join(folder, 'loggedOut'), { force: true });
  if (situation.isLoggedOut) writeFileSync(join(folder, 'loggedOut'), '');
  for (const name of ['package', 'events'] as const)
    writeFileSync(join(folder, name), 'x'.repeat(situation[name] ?? 0));
  const given = situation.env ?? { KEYWARD_AUTH_AUDIENCE: 'the-audience' };
  const env = { PATH: `${folder}:${process.env.PATH}`, RETRY_SECONDS: '0', ...given };
  const { at = root, parameters: file = parameters } = situation;
  const named = file === null ? [] : [file];
  const run = promisify(execFile)(`${at}infra/deploy.sh`, ['group', 'westeurope', ...named], { env });
  const ended = await run
    .then(({ stdout }) => ({ code: 0, stdout, stderr: '' }))
    .catch(({ code, stdout, stderr }) => ({ code, stdout, stderr }));
  const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
  return { ...ended, calls };
}

const isReading = (call: string) => call.includes(' show ');

describe('infra/deploy.sh', () => {
  it('packs, then deploys the resources, the code and the event subscriptions, and says where the service is', async () => {
    const { code, stdout, calls } = await deploy();
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'https://the-hostName\n' });
    expect(calls.filter((call) => !isReading(call))).toEqual([
      'az provider register --namespace Microsoft.App --wait',
      expect.stringMatching(/^npm .*run --silent package$/),
      expect.stringContaining('az group create --name group --location westeurope'),
      expect.stringContaining(
        `az deployment group create --name keyward --resource-group group --parameters ${parameters}`,
      ),
      expect.stringContaining(`config-zip --resource-group group --name the-appName --src ${root}build/keyward.zip`),
      expect.stringContaining(
        'appName=the-appName storageName=the-storageName operatorVaultName=the-operatorVaultName watchSubscription=true tags=the-tags',
      ),
    ]);
  });

  it.each<[string, Situation, RegExp]>([
    [
      'the audience that the parameters read is not set',
      { env: {} },
      /KEYWARD_AUTH_AUDIENCE is not set.*functionKeys/s,
    ],
    ['nobody is logged in', { isLoggedOut: true }, /az login/],
    ['the parameter file is not there', { parameters: '/nowhere.bicepparam' }, /no file \/nowhere\.bicepparam/],
  ])('makes nothing, and says what to do, when %s', async (_, situation, told) => {
    const { code, stderr, calls } = await deploy(situation);
    expect(code).toBe(1);
    expect(stderr).toMatch(told);
    expect(calls.filter((call) => call !== '' && !isReading(call))).toEqual([]);
  });

  it('makes the parameter file that git does not follow, once, and keeps what is written there', async () => {
    const at = join(folder, 'project/');
    cpSync(`${root}infra`, join(at, 'infra'), {
      recursive: true,
      filter: (path) => !path.endsWith('production.bicepparam'),
    });
    const mine = join(at, 'infra/production.bicepparam');
    const used = async () =>
      (await deploy({ at, parameters: null })).calls.find((call) => call.includes('--parameters'));
    expect(await used()).toContain(mine);
    expect(readFileSync(mine, 'utf8')).toBe(readFileSync(`${root}infra/main.bicepparam`, 'utf8'));
    appendFileSync(mine, '// mine\n');
    expect(await used()).toContain(mine);
    expect(readFileSync(mine, 'utf8')).toMatch(/\/\/ mine\n$/);
    expect(readFileSync(`${root}.gitignore`, 'utf8').split('\n')).toContain('infra/production.bicepparam');
  });

  it('asks for no audience where the parameters read none', async () => {
    const text = readFileSync(parameters, 'utf8');
    const withKeys = join(folder, 'keys.bicepparam');
    writeFileSync(withKeys, text.replace(/^param authAudience.*$/m, ''));
    expect((await deploy({ env: {}, parameters: withKeys })).code).toBe(0);
  });

  it('waits for new roles to reach the storage account, and subscribes nothing before the code is there', async () => {
    const { code, calls } = await deploy({ package: 3 });
    expect(code).toBe(0);
    expect(calls.filter((call) => call.includes('config-zip'))).toHaveLength(4);
    expect(calls.findIndex((call) => call.includes('keyward-events'))).toBeGreaterThan(
      calls.findLastIndex((call) => call.includes('config-zip')),
    );
  });

  it('waits for Event Grid to find the functions', async () => {
    const { code, calls } = await deploy({ events: 2 });
    expect(code).toBe(0);
    expect(calls.filter((call) => call.includes('--name keyward-events'))).toHaveLength(3);
  });

  it('gives up in the end', async () => {
    const { code, calls } = await deploy({ package: 100 });
    expect(code).toBe(1);
    expect(calls.filter((call) => call.includes('keyward-events'))).toEqual([]);
    expect((await deploy({ events: 100 })).code).toBe(1);
  });

  it('reads outputs that infra/main.bicep has, and gives infra/events.bicep what it asks for', () => {
    const script = readFileSync(`${root}infra/deploy.sh`, 'utf8');
    const main = JSON.parse(readFileSync(`${root}infra/main.json`, 'utf8'));
    const events = JSON.parse(readFileSync(`${root}infra/events.json`, 'utf8'));
    const read = [...script.matchAll(/\$\(output (\w+)(?: json)?\)/g)].map(([, name]) => name);
    expect(Object.keys(main.outputs)).toEqual(expect.arrayContaining(read));
    const given = [...script.matchAll(/"(\w+)=/g)].map(([, name]) => name);
    const parameters = Object.entries<{ readonly defaultValue?: unknown }>(events.parameters);
    const required = parameters.filter(([, { defaultValue }]) => defaultValue === undefined).map(([name]) => name);
    expect(Object.keys(events.parameters)).toEqual(expect.arrayContaining(given));
    expect(given).toEqual(expect.arrayContaining(required));
  });
});
