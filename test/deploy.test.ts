/** infra/deploy.sh with an `az` and an `npm` that only record how they were called: order, names, retries, refusals. */
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

/** Returns an output as its name, and fails the package, or the events, as often as their file is long. */
const az = `#!/usr/bin/env bash
echo "az $*" >> ${folder}/calls
if [[ "$*" == "version"* ]]; then cat ${folder}/version; fi
if [[ "$*" == "bicep build-params"* && -e ${folder}/broken ]]; then exit 1; fi
if [[ "$*" == "account show"* ]]; then [[ -e ${folder}/loggedOut ]] && exit 1; echo "the subscription"; fi
if [[ "$*" == "group exists"* ]]; then [[ -e ${folder}/group ]] && echo true || echo false; fi
if [[ "$*" == "provider show"* ]]; then [[ -e ${folder}/limited ]] && exit 1; [[ "$*" == *Microsoft.App* ]] && echo NotRegistered || echo Registered; fi
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
  readonly version?: string;
  readonly isBroken?: boolean;
  /** The resource group exists, and the identity has rights on it only. */
  readonly isLimited?: boolean;
  /** null: none is named. */
  readonly parameters?: string | null;
  /** The project, where it is not this one. */
  readonly at?: string;
}

async function deploy(situation: Situation = {}) {
  writeFileSync(join(folder, 'calls'), '');
  rmSync(join(folder, 'loggedOut'), { force: true });
  if (situation.isLoggedOut) writeFileSync(join(folder, 'loggedOut'), '');
  rmSync(join(folder, 'broken'), { force: true });
  if (situation.isBroken) writeFileSync(join(folder, 'broken'), '');
  for (const name of ['group', 'limited']) {
    rmSync(join(folder, name), { force: true });
    if (situation.isLimited) writeFileSync(join(folder, name), '');
  }
  writeFileSync(join(folder, 'version'), situation.version ?? '2.60.0');
  for (const name of ['package', 'events'] as const)
    writeFileSync(join(folder, name), 'x'.repeat(situation[name] ?? 0));
  const given = situation.env ?? { KEYWARD_AUTH_AUDIENCE: 'the-audience' };
  const env = { PATH: `${folder}:${process.env.PATH}`, RETRY_SECONDS: '0', ...given };
  const { at = root, parameters: file = parameters } = situation;
  const named = file === null ? [] : [file];
  const run = promisify(execFile)(`${at}infra/deploy.sh`, ['group', 'westeurope', ...named], { env });
  const ended = await run
    .then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }))
    .catch(({ code, stdout, stderr }) => ({ code, stdout, stderr }));
  const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
  return { ...ended, calls };
}

const isReading = (call: string) => / show |^az version|^az group exists|^az bicep build-params/.test(call);

describe('infra/deploy.sh', () => {
  it('infra/deploy.sh packs, then deploys the resources, the code and the event subscriptions, and prints the address', async () => {
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
        'appName=the-appName hostStorageName=the-hostStorageName operatorVaultName=the-operatorVaultName tags=the-tags watchSubscription=true',
      ),
    ]);
  });

  it.each<[string, Situation, RegExp]>([
    [
      'the audience that the parameters read is not set',
      { env: {} },
      /KEYWARD_AUTH_AUDIENCE is not set.*functionKeys/s,
    ],
    ['the Azure CLI is not logged in', { isLoggedOut: true }, /az login/],
    ['the Azure CLI is too old for Flex Consumption', { version: '2.59.9' }, /2\.59\.9.*2\.60\.0.*az upgrade/],
    ['the parameter file does not exist', { parameters: '/nowhere.bicepparam' }, /nowhere\.bicepparam does not exist/],
    ['the parameter file does not compile', { isBroken: true }, /does not compile.*az bicep upgrade/],
    [
      'the package of a release does not exist',
      { env: { KEYWARD_AUTH_AUDIENCE: 'a', KEYWARD_PACKAGE: '/nowhere.zip' } },
      /nowhere\.zip does not exist/,
    ],
  ])('infra/deploy.sh creates nothing, and prints what to do, when %s', async (_, situation, message) => {
    const { code, stderr, calls } = await deploy(situation);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(calls.filter((call) => call !== '' && !isReading(call))).toEqual([]);
  });

  it.each(['2.60.0', '2.60.1', '2.100.0', '3.0.0'])('infra/deploy.sh accepts the Azure CLI %s', async (version) => {
    expect((await deploy({ version })).code).toBe(0);
  });

  it('infra/deploy.sh warns when no one receives the alerts, and is silent when the parameters name a receiver', async () => {
    expect((await deploy()).stderr).toContain('WARNING: no one receives the alerts');
    const text = readFileSync(parameters, 'utf8');
    const receivers = [
      text.replace(/^param alertEmails.*$/m, "param alertEmails = ['oncall@contoso.example']"),
      text.replace(/^param alertEmails.*$/m, "param alertWebhooks = [\n  'https://pager.example'\n]"),
      `${text}\nparam alertActionGroupIds = ['/subscriptions/s']\n`,
    ];
    for (const withReceiver of receivers) {
      const file = join(folder, 'receiver.bicepparam');
      writeFileSync(file, withReceiver);
      expect((await deploy({ parameters: file })).stderr).not.toContain('WARNING');
    }
    const env = { KEYWARD_AUTH_AUDIENCE: 'a', KEYWARD_ALERT_EMAILS: 'oncall@contoso.example' };
    expect((await deploy({ env })).stderr).not.toContain('WARNING');
  });

  it('infra/deploy.sh deploys the package of a release without building one', async () => {
    const package_ = join(folder, 'keyward-1.zip');
    writeFileSync(package_, '');
    const { code, calls } = await deploy({ env: { KEYWARD_AUTH_AUDIENCE: 'a', KEYWARD_PACKAGE: package_ } });
    expect(code).toBe(0);
    expect(calls.filter((call) => call.startsWith('npm'))).toEqual([]);
    expect(calls.find((call) => call.includes('config-zip'))).toContain(`--src ${package_}`);
  });

  it('infra/deploy.sh creates the parameter file that git ignores, once, and does not overwrite it later', async () => {
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
    expect(readFileSync(`${root}.gitignore`, 'utf8').split('\n')).toContain('infra/*.bicepparam');
  });

  it('infra/deploy.sh needs no audience when the parameters read none', async () => {
    const text = readFileSync(parameters, 'utf8');
    const withKeys = join(folder, 'keys.bicepparam');
    writeFileSync(withKeys, text.replace(/^param authAudience.*$/m, ''));
    expect((await deploy({ env: {}, parameters: withKeys })).code).toBe(0);
  });

  it('infra/deploy.sh waits for new roles to reach the storage account, and subscribes nothing before the code is there', async () => {
    const { code, calls } = await deploy({ package: 3 });
    expect(code).toBe(0);
    expect(calls.filter((call) => call.includes('config-zip'))).toHaveLength(4);
    expect(calls.findIndex((call) => call.includes('keyward-events'))).toBeGreaterThan(
      calls.findLastIndex((call) => call.includes('config-zip')),
    );
  });

  it('infra/deploy.sh waits for Event Grid to find the functions', async () => {
    const { code, calls } = await deploy({ events: 2 });
    expect(code).toBe(0);
    expect(calls.filter((call) => call.includes('--name keyward-events'))).toHaveLength(3);
  });

  it('infra/deploy.sh deploys with rights on one resource group, which it leaves as it is', async () => {
    const { code, calls } = await deploy({ isLimited: true });
    expect(code).toBe(0);
    expect(calls.filter((call) => /group create --name group|provider register/.test(call))).toEqual([]);
    expect(calls.filter((call) => call.includes('config-zip'))).toHaveLength(1);
  });

  it('infra/deploy.sh gives up in the end', async () => {
    const { code, calls } = await deploy({ package: 100 });
    expect(code).toBe(1);
    expect(calls.filter((call) => call.includes('keyward-events'))).toEqual([]);
    expect((await deploy({ events: 100 })).code).toBe(1);
  });

  it('infra/deploy.sh reads outputs that infra/main.bicep has, and gives infra/events.bicep the parameters that it requires', () => {
    const script = ['deploy.sh', 'az.sh'].map((name) => readFileSync(`${root}infra/${name}`, 'utf8')).join('');
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
