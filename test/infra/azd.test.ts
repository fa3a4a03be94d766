/**
 * infra/azd/hooks.sh with an `az` and an `azd` that record their calls: what `azd up` does beside resources and code.
 */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'keyward-azd-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Fails the event subscriptions as often as the file `events` is long. */
const recorder = `#!/usr/bin/env bash
echo "\${0##*/} $*" >> ${folder}/calls
case "\${0##*/} $*" in
  'az version'*) echo "$VERSION" ;;
  'az account show'*) echo "$LOGGED_IN" ;;
  'az cloud show'*) echo https://graph.microsoft.com/ ;;
  'az ad app create'*) echo new-id ;;
  *keyward-events*) if [[ -s ${folder}/events ]]; then truncate -s -1 ${folder}/events; exit 1; fi ;;
esac
`;
for (const name of ['az', 'azd']) {
  writeFileSync(join(folder, name), recorder);
  chmodSync(join(folder, name), 0o755);
}

interface Situation {
  readonly version?: string;
  readonly loggedIn?: string;
  readonly events?: number;
  readonly env?: Readonly<Record<string, string>>;
}

async function hook(
  step: string,
  { version = '2.60.0', loggedIn = 'the-subscription', events = 0, env }: Situation = {},
) {
  writeFileSync(join(folder, 'calls'), '');
  writeFileSync(join(folder, 'events'), 'x'.repeat(events));
  const given = {
    PATH: `${folder}:${process.env.PATH}`,
    RETRY_SECONDS: '0',
    VERSION: version,
    LOGGED_IN: loggedIn,
    AZURE_ENV_NAME: 'trial',
    AZURE_SUBSCRIPTION_ID: 'the-subscription',
    AZURE_RESOURCE_GROUP: 'rg-trial',
    KEYWARD_APP: 'the-app',
    KEYWARD_HOST: 'the-host',
    KEYWARD_HOST_STORAGE: 'the-storage',
    KEYWARD_OPERATOR_VAULT: 'the-vault',
    ...env,
  };
  const ended = await promisify(execFile)(`${root}infra/azd/hooks.sh`, [step], { env: given })
    .then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }))
    .catch(({ code, stdout, stderr }) => ({ code, stdout, stderr }));
  return { ...ended, calls: readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') };
}

const creating = (calls: readonly string[]) => calls.filter((call) => /create|update|rest|azd/.test(call));

describe('infra/azd/hooks.sh', () => {
  it('infra/azd/hooks.sh makes an application for the environment before the resources, and gives its client id to azd', async () => {
    const { code, stderr, calls } = await hook('preprovision');
    expect(code).toBe(0);
    expect(calls).toContainEqual(expect.stringContaining('az ad app create --display-name Keyward-trial '));
    expect(calls.at(-1)).toBe('azd env set KEYWARD_AUTH_AUDIENCE new-id');
    expect(stderr).toContain('WARNING: no one receives the alerts');
  });

  it('infra/azd/hooks.sh subscribes the events after the code, waits for Event Grid to find the functions, and prints the address', async () => {
    const { code, stdout, calls } = await hook('postdeploy', { events: 2 });
    expect([code, stdout]).toEqual([0, 'https://the-host\n']);
    const deployments = calls.filter((call) => call.includes('--name keyward-events --resource-group rg-trial'));
    expect(deployments).toHaveLength(3);
    expect(deployments.at(-1)).toContain(
      'appName=the-app hostStorageName=the-storage operatorVaultName=the-vault tags={"environment":"trial"} watchSubscription=true',
    );
  });

  it('infra/azd/hooks.sh leaves the events of the subscription alone where it has a system topic already', async () => {
    const { calls } = await hook('postdeploy', { env: { WATCH_SUBSCRIPTION: 'false' } });
    expect(calls.at(-1)).toContain('watchSubscription=false');
  });

  it.each<[string, Situation, RegExp]>([
    ['the Azure CLI is too old', { version: '2.59.9' }, /2\.59\.9.*2\.60\.0.*az upgrade/],
    [
      'the Azure CLI uses another subscription than azd',
      { loggedIn: 'other' },
      /subscription other.*az account set --subscription the-subscription/s,
    ],
  ])('infra/azd/hooks.sh creates nothing, and prints what to do, when %s', async (_, situation, message) => {
    for (const step of ['preprovision', 'postdeploy']) {
      const { code, stderr, calls } = await hook(step, situation);
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
      expect(creating(calls)).toEqual([]);
    }
  });
});
