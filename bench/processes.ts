/**
 * The stack with every part in a process of its own, so that none delays another: tables, vaults, tokens, and hosts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Identity } from '../packages/entra-emulator/src/issuer.ts';
import { type ChildHost, spawnHost } from '../packages/functions-host/src/child.ts';
import { type KeyVaultControl, keyVaultControl } from '../packages/key-vault-emulator/src/controlClient.ts';
import { compose } from '../src/azure/compose.ts';
import type { Log } from '../src/core/base/log.ts';
import type { Service } from '../src/core/service.ts';
import type { Azurite } from '../src/local/azurite.ts';
import {
  createGrantedVault,
  createOperatorVault,
  directory,
  localHostKeys,
  operatorSettings,
} from '../src/local/operator.ts';
import { keyPool } from './seed.ts';

export interface Processes {
  readonly keyVault: KeyVaultControl;
  /** Of the storage account. */
  readonly connectionString: string;
  /** Of the app. */
  readonly settings: Readonly<Record<string, string>>;
  /** In this process, for seeding and for reading the records. */
  readonly service: Service;
  host(settings?: Readonly<Record<string, string>>): Promise<ChildHost>;
  /** Creates a vault with Keyward's grant and an RSA key `cmk`. Returns its versionless identifier. */
  vaultWithKey(vault: string, key: Record<string, unknown>): Promise<string>;
  stop(): Promise<void>;
}

const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const project = fileURLToPath(new URL('..', import.meta.url));

export async function startProcesses(): Promise<Processes> {
  const children: ChildProcess[] = [];
  const hosts: ChildHost[] = [];
  const start = async <T>(path: string, ...args: string[]): Promise<T> => {
    const child = spawn(process.execPath, [join(project, path), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    return JSON.parse(line) as T;
  };
  const azurite = await start<Azurite>('src/local/azuriteMain.ts', '{"inMemory":true}');
  const identity = await start<Identity>('packages/entra-emulator/src/main.ts', JSON.stringify(directory));
  const emulator = await start<{ url: string }>(
    'packages/key-vault-emulator/src/main.ts',
    '--identity-url',
    identity.url,
    '--key-pool',
    keyPool,
  );
  const keyVault = keyVaultControl(emulator.url);
  await createOperatorVault(keyVault);
  const settings = operatorSettings(azurite.connectionString, identity, emulator.url);
  Object.assign(process.env, identity.environment);

  return {
    keyVault,
    connectionString: azurite.connectionString,
    settings,
    service: await compose(settings, silent),
    async host(more = {}) {
      const options = { appDir: fileURLToPath(new URL('..', import.meta.url)), keys: localHostKeys };
      const host = await spawnHost({ ...options, settings: { ...settings, ...more } }, () => undefined);
      hosts.push(host);
      return host;
    },
    async vaultWithKey(vault, key) {
      await createGrantedVault(vault, keyVault);
      await keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', ...key });
      return `https://${vault}.vault.azure.net/keys/cmk`;
    },
    async stop() {
      await Promise.all(hosts.map((host) => host.kill()));
      for (const child of children.reverse()) child.stdin?.end();
    },
  };
}

/** Posts the event as Event Grid posts it to the function. */
export async function postNewVersionEvent(vault: string, host: ChildHost): Promise<void> {
  const id = `/subscriptions/s/resourceGroups/r/providers/Microsoft.KeyVault/vaults/${vault}`;
  const data = { Id: id, VaultName: vault, ObjectType: 'Key', ObjectName: 'cmk' };
  const event = {
    id: crypto.randomUUID(),
    topic: id,
    subject: 'cmk',
    eventType: 'Microsoft.KeyVault.KeyNewVersionCreated',
    eventTime: new Date().toISOString(),
    data,
    dataVersion: '1',
    metadataVersion: '1',
  };
  const answer = await fetch(
    `${host.url}/runtime/webhooks/EventGrid?functionName=keyEvents&code=${host.keys.eventgrid_extension}`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'aeg-event-type': 'Notification' },
      body: JSON.stringify([event]),
    },
  );
  if (!answer.ok) throw new Error(`The host answered ${answer.status} to the event.`);
}
