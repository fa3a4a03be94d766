/** The counted figures of rotation, for any number of accounts: the bench uses a large one, `npm test` a small one. */
import {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
} from '@azure/core-rest-pipeline';
import { ManagedIdentityCredential } from '@azure/identity';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import type { Service } from '../../src/core/service.ts';
import { wake } from '../../src/core/vaultWork/events.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import type { Lab } from '../../src/local/lab/lab.ts';
import { seedAccounts } from '../seed.ts';

export const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${prefix}-${n}`);

/** Every request to the vault, including challenges. */
export async function requestsOf(vault: string, { keyVault }: Pick<Lab, 'keyVault'>): Promise<number> {
  const { counts } = await keyVault<{ counts: Record<string, Record<string, Record<string, number>>> }>(
    'GET',
    '/requests',
  );
  const byStatus = Object.values(counts[vault] ?? {}).flatMap((statuses) => Object.values(statuses));
  return byStatus.reduce((sum, count) => sum + count, 0);
}

const soonMs = 5_000;

/** Does the work that an event starts, until only later looks are left. */
async function follow(vault: string, lab: Lab, service: Service): Promise<void> {
  await wake({ vaultHost: `${vault}.vault.azure.net`, keyName: 'cmk' }, service);
  for (;;) {
    const nextAt = lab.queue.nextAt();
    if (nextAt === undefined || nextAt > lab.clock.now() + soonMs) return;
    lab.clock.set(Math.max(lab.clock.now(), nextAt));
    await lab.queue.deliver(async (message) => {
      if ('vault' in message) await workOnVault(message, service);
    });
  }
}

/** The measurement is invalid while an account is not on the version that the watch has found. */
async function expectAllMoved(vault: string, names: readonly string[], { service }: Lab): Promise<void> {
  const [id = ''] = await service.vaults.bindings(vaultIdOf(`${vault}.vault.azure.net`));
  const target = (await service.bindings.readWatch(id))?.value.targetVersion;
  for (const name of names) {
    const stored = await service.accounts.read(name);
    const encryption = stored?.value.lifecycle === 'active' ? stored.value.encryption : undefined;
    if (encryption?.type !== 'CustomerKey' || encryption.version !== target || encryption.rewrappedAt === undefined)
      throw new Error(`${name} was not re-wrapped.`);
  }
}

export interface Calls {
  readonly perAccount: number;
  readonly naivePerAccount: number;
}

/**
 * Rotates one key with the given number of accounts. The simple loop makes equal calls for each account, so it runs for
 * a few.
 */
export async function measureCalls(accounts: number, lab: Lab): Promise<Calls> {
  const vault = `calls-${accounts}`;
  const names = namesOf(vault, accounts);
  await seedAccounts(names, await lab.vaultWithKey(vault), lab.service);
  await lab.keyVault('POST', `/vaults/${vault}/keys/cmk/rotate`);
  const fresh = await lab.another();
  // The first message loads the rings and reads the vault's version.
  await lab.keyVault('DELETE', '/requests');
  await follow(vault, lab, fresh);
  const perAccount = (await requestsOf(vault, lab)) / accounts;
  await expectAllMoved(vault, names, lab);

  const few = Math.min(20, accounts);
  await lab.keyVault('DELETE', '/requests');
  for (let n = 0; n < few; n++) await naiveRewrap(vault, lab);
  return { perAccount, naivePerAccount: (await requestsOf(vault, lab)) / few };
}

/**
 * The simplest loop, for one account: get the key, unwrap with the version that the blob names, wrap with the newest.
 * Each account is processed alone, so with clients of its own.
 */
async function naiveRewrap(vault: string, lab: Lab): Promise<void> {
  const httpClient = await plainClient(lab);
  const credential = new ManagedIdentityCredential();
  const newest = await new KeyClient(`https://${vault}.vault.azure.net`, credential, { httpClient }).getKey('cmk');
  const oldId = newest.id ?? '';
  const blob = await lab.service.keyVault.wrap(
    { n: new Uint8Array(newest.key?.n ?? []), e: new Uint8Array(newest.key?.e ?? []) },
    new Uint8Array(32),
  );
  const { result } = await new CryptographyClient(oldId, credential, { httpClient }).unwrapKey('RSA-OAEP-256', blob);
  await new CryptographyClient(newest.id ?? '', credential, { httpClient }).wrapKey('RSA-OAEP-256', result);
}

/** The SDK's own client, with requests to the emulator. */
async function plainClient({ keyVaultUrl }: Lab): Promise<HttpClient> {
  const client = createDefaultHttpClient();
  return {
    sendRequest(request) {
      const { host, pathname, search } = new URL(request.url);
      const headers = createHttpHeaders(request.headers.toJSON());
      headers.set('host', host);
      const url = new URL(pathname + search, keyVaultUrl).href;
      return client.sendRequest(createPipelineRequest({ ...request, url, headers, allowInsecureConnection: true }));
    },
  };
}

/** All requests that one event causes, to tables and to the vault, for a key with the given number of accounts. */
export async function measureEvent(vault: string, names: readonly string[], lab: Lab): Promise<number> {
  await lab.keyVault('POST', `/vaults/${vault}/keys/cmk/rotate`);
  await lab.keyVault('DELETE', '/requests');
  const before = lab.tableRequests();
  await follow(vault, lab, lab.service);
  const requests = lab.tableRequests() - before + (await requestsOf(vault, lab));
  await expectAllMoved(vault, names, lab);
  return requests;
}
