/** The operations that get storage faults: each sets up its account, acts, and is repeated by its caller. */
import { setTimeout as sleep } from 'node:timers/promises';
import { etagOf } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { getAccount } from '../../src/core/accounts/readAccount.ts';
import { repairIdentity } from '../../src/core/accounts/repairIdentity.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { beginOperation } from '../../src/core/ams/runOperation.ts';
import { putResource, removeResource } from '../../src/core/ams/writeResource.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { forceAccount, forceKey } from '../../src/core/rotation/forceRewrap.ts';
import { deleteSecret } from '../../src/core/secrets/deleteSecret.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { rekeySecrets } from '../../src/core/secrets/rekeySecrets.ts';
import { revealOne, revealPage } from '../../src/core/secrets/revealSecret.ts';
import { lookNow } from '../../src/core/vaultWork/lookNow.ts';
import { releaseClaim } from '../../src/core/vaultWork/releaseClaim.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { appPrincipalId, location } from '../../src/local/operator.ts';
import {
  by,
  createAccount,
  createVault,
  hostOf,
  ownerOf,
  permissions,
  placeOf,
  policyOf,
  put,
  unlessCode,
} from './given.ts';
import type { Bench } from './stage.ts';
import { isNewest } from './storedState.ts';

/** `act` receives the result of `setUp`, for the first try and for the retry. */
export interface Operation {
  readonly announces?: true;
  /** Runs on Azurite too. */
  readonly onAzurite?: true;
  setUp(bench: Bench, account: string): Promise<unknown>;
  act(bench: Bench, account: string, given: unknown): Promise<unknown>;
  /** Work that follows in any case, for operations that the caller does not retry. */
  afterwards?(bench: Bench, account: string): Promise<unknown>;
}

const underSystemKey = (bench: Bench, account: string) => createAccount(bench, account);
const underCustomerKey = (bench: Bench, account: string) => createAccount(bench, account, by(bench.vault));
/** The vault has the name of the account. */
const underOwnKey = async (bench: Bench, account: string) => {
  await createVault(bench, account);
  await createAccount(bench, account, by(account));
};
const withSecrets = async (bench: Bench, account: string) => {
  const { service } = bench;
  await createAccount(bench, account);
  await put(service, account, 'a', 'value a');
  await put(service, account, 'b', 'value b');
};
const putPolicy = ({ service }: Bench, account: string, value: string) => {
  const secret = { kind: 'tokenKeys', at: ['keyValue'], value: { given: Buffer.from(value) } } as const;
  return putResource(policyOf(account), () => ({ name: 'policy', properties: {}, secrets: [secret] }), service);
};

const moveAll = async ({ service }: Bench, account: string) => {
  let next = await rekeySecrets({ visit: 'secrets', account }, service);
  for (let page = 0; next !== undefined && next.delayMs === 0 && page < 10; page += 1)
    next = await rekeySecrets(next.work, service);
};

export const operations: Record<string, Operation> = {
  'PUT creates an account, at a place': {
    announces: true,
    setUp: async () => undefined,
    act: (bench, account) => {
      const input = { owner: ownerOf(bench), location, place: placeOf(account) };
      return putAccount({ name: account, input, actor: tester }, bench.service);
    },
  },
  'PUT creates an account under a customer key': {
    onAzurite: true,
    announces: true,
    setUp: createVault,
    act: (bench, account) => createAccount(bench, account, by(account)),
  },
  'PUT changes an account': {
    announces: true,
    setUp: underSystemKey,
    act: ({ service }, account) => putAccount({ name: account, input: { tags: { a: 'b' } }, actor: tester }, service),
  },
  'PATCH to a customer key': {
    setUp: withSecrets,
    act: ({ service, vault }, account) =>
      patchAccount(
        { name: account, input: { encryption: by(vault) }, actor: tester, permissions: { mayRelease: true } },
        service,
      ),
  },
  'PATCH back to the system key': {
    setUp: underCustomerKey,
    act: ({ service }, account) =>
      patchAccount(
        {
          name: account,
          input: { encryption: { type: 'SystemKey' } },
          actor: tester,
          permissions: { mayRelease: true },
        },
        service,
      ),
  },
  'DELETE of an account, at a place and with a resource': {
    announces: true,
    setUp: async (bench, account) => {
      const input = { owner: ownerOf(bench), location, place: placeOf(account), encryption: by(bench.vault) };
      await putAccount({ name: account, input, actor: tester }, bench.service);
      await put(bench.service, account, 'a', 'value a');
      await putPolicy(bench, account, 'value b');
    },
    act: ({ service }, account) => deleteAccount(account, {}, tester, service),
  },
  'PUT creates a resource with a secret': {
    setUp: underSystemKey,
    act: (bench, account) => putPolicy(bench, account, 'value a'),
  },
  'PUT replaces a resource and its secret': {
    onAzurite: true,
    setUp: async (bench, account) => {
      await underSystemKey(bench, account);
      await putPolicy(bench, account, 'value a');
    },
    act: (bench, account) => putPolicy(bench, account, 'value b'),
  },
  'DELETE of a resource': {
    setUp: async (bench, account) => {
      await underSystemKey(bench, account);
      await putPolicy(bench, account, 'value a');
    },
    act: ({ service }, account) => removeResource(policyOf(account), service),
  },
  'POST rotateAccountKey': {
    setUp: async (bench, account) => {
      await withSecrets(bench, account);
      return etagOf((await getAccount(account, bench.service)).record);
    },
    // Each call is a rotation. A caller that wants exactly one names the key by If-Match.
    act: async ({ service }, account, ifMatch) =>
      rotateAccountKey(account, { ifMatch: String(ifMatch) }, tester, service),
  },
  'a pass that moves secrets': {
    setUp: async (bench, account) => {
      await withSecrets(bench, account);
      await rotateAccountKey(account, {}, tester, bench.service);
    },
    act: moveAll,
  },
  'PUT creates a secret': {
    setUp: underSystemKey,
    act: ({ service }, account) => put(service, account, 'a', 'value a'),
  },
  'PUT replaces a secret': {
    setUp: withSecrets,
    act: ({ service }, account) => put(service, account, 'a', 'another value'),
  },
  'DELETE of a secret': {
    setUp: withSecrets,
    act: ({ service }, account) => deleteSecret(refOf(account, 'tokenKeys', 'a'), {}, service),
  },
  'POST reveal': {
    onAzurite: true,
    announces: true,
    setUp: withSecrets,
    act: ({ service }, account) =>
      revealOne(refOf(account, 'tokenKeys', 'a'), 'SecretsRevealed', { actor: tester }, service),
  },
  'POST reveal of a page': {
    setUp: withSecrets,
    act: ({ service }, account) => revealPage({ account, kind: 'tokenKeys', limit: 100 }, { actor: tester }, service),
  },
  'POST rewraps of an account': {
    setUp: underCustomerKey,
    act: ({ service }, account) => forceAccount(account, tester, service),
  },
  'POST rewraps of a key': {
    setUp: underOwnKey,
    act: ({ service }, account) => forceKey(by(account).keyIdentifier, tester, service),
  },
  'POST repairIdentity': {
    setUp: async (bench, account) => {
      // One owner for all: an identity belongs to the first owner that uses it.
      await underOwnKey({ ...bench, vault: 'spare' }, account);
      await bench.keyVault('PUT', `/vaults/${account}/grants/${bench.spare.objectId}`, { permissions });
      await bench.keyVault('DELETE', `/vaults/${account}/grants/${appPrincipalId}`);
      await lookNow({ account }, bench.service);
    },
    // A conflict that reports the wanted state is a success.
    act: ({ service, spare }, account) =>
      repairIdentity(account, spare.identity, tester, service).catch(unlessCode('Conflict')),
  },
  'DELETE of a claim': {
    setUp: async (bench, account) => {
      await underOwnKey(bench, account);
      await deleteAccount(account, {}, tester, bench.service);
    },
    act: ({ service }, account) =>
      releaseClaim({ kind: 'vault', value: hostOf(account) }, tester, service).catch(unlessCode('NotFound')),
  },
  'PUT of an account on the routes of Azure Media Services': {
    setUp: async () => undefined,
    act: (bench, account) => {
      const input = { owner: ownerOf(bench), location, place: placeOf(account) };
      return beginOperation({ account, actor: tester, mayRelease: false, method: 'put', input }, {}, bench.service);
    },
  },
  'POST looks': {
    announces: true,
    setUp: underOwnKey,
    act: ({ service }, account) => lookNow({ account }, service),
  },
  'a vault’s work: a look, a new version, and its re-wrap': {
    setUp: async (bench, account) => {
      await underOwnKey(bench, account);
      await bench.keyVault('POST', `/vaults/${account}/keys/cmk`, { kty: 'RSA', size: 2048, fixture: 1 });
    },
    act: ({ service }, account) =>
      workOnVault({ vault: vaultIdOf(`${account}.vault.azure.net`), lookNow: {}, requestedBy: 'event' }, service),
    afterwards: async ({ service, witness }, account) => {
      for (let sweeps = 0; sweeps < 3 && !(await isNewest(account, witness)); sweeps += 1) {
        await sleep(350);
        await workOnVault({ vault: vaultIdOf(`${account}.vault.azure.net`), requestedBy: 'sweep' }, service);
      }
    },
  },
};
