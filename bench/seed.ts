/** Writes many accounts under one key straight to storage, each with a real wrapped account key and its audit entry. */
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { type ActiveAccount, boundOf, wrappedByOf } from '../src/core/accounts/account.ts';
import { wrapBySystemKey } from '../src/core/accounts/accountKey.ts';
import { putAccount } from '../src/core/accounts/putAccount.ts';
import { findAccount } from '../src/core/accounts/readAccount.ts';
import { insertAccount } from '../src/core/accounts/writeAccount.ts';
import { base64, wipe } from '../src/core/base/bytes.ts';
import { accountKeyPayload, sealAtRest } from '../src/core/crypto/accountKeyEnvelope.ts';
import type { RsaPublicKey } from '../src/core/customerKey/ports.ts';
import type { Service } from '../src/core/service.ts';
import { location } from '../src/local/operator.ts';

export const keyPool = fileURLToPath(new URL('../test/fixtures/rsaKeys.json', import.meta.url));

const actor = { kind: 'principal', id: 'bench' } as const;
const atATime = 16;

/**
 * The API creates the account of the first name, unless it exists: this claims the vault, proves the key and creates
 * the watch. Unlisted accounts are faster to write, and only a LIST would miss them.
 */
export async function seedAccounts(
  names: readonly string[],
  keyIdentifier: string,
  service: Service,
  isListed = true,
): Promise<void> {
  const [first = '', ...others] = names;
  const template = (await findAccount(first, service))?.record ?? (await createFirst(first, keyIdentifier, service));
  if (template.encryption.type !== 'CustomerKey') throw new Error(`${first} has no customer key.`);
  const { binding, version } = template.encryption;
  const described = await service.keyVault.describe(binding, version);
  if (!described.ok) throw new Error(`The key of ${first} cannot be read: ${described.cause}`);
  const limit = pLimit(atATime);
  await Promise.all(
    others.map((name) => limit(() => seedAccount(name, template, described.value.publicKey, service, isListed))),
  );
}

async function createFirst(name: string, keyIdentifier: string, service: Service): Promise<ActiveAccount> {
  const identity = { useSystemAssignedIdentity: true } as const;
  const encryption = { type: 'CustomerKey', keyIdentifier, identity } as const;
  const owner = new URL(keyIdentifier).hostname.split('.', 1)[0] ?? '';
  return (await putAccount({ name, input: { owner, location, encryption }, actor }, service)).view.record;
}

/** Row, name in the directory, record with its entry: the order of writes of core/accounts/putAccount.ts. */
async function seedAccount(
  name: string,
  template: ActiveAccount,
  publicKey: RsaPublicKey,
  service: Service,
  isListed: boolean,
): Promise<void> {
  const { audit: _audit, revision: _revision, ...alike } = template;
  const { encryption } = template;
  if (encryption.type !== 'CustomerKey') return;
  const place = { instanceId: service.random.uuid(), account: name, generation: template.accountKeyGeneration };
  const accountKey = service.random.bytes(32);
  const payload = accountKeyPayload(place, accountKey);
  const inner = { by: 'CustomerKey', wrapped: service.keyVault.wrap(publicKey, payload) } as const;
  wipe(accountKey, payload);
  const { atRest } = await service.rings();
  const sealed = sealAtRest(inner, place, wrappedByOf(encryption), atRest.newest, service.random.bytes(12));
  const record = { ...alike, name, instanceId: place.instanceId, wrappedAccountKey: base64(sealed) };
  await service.bindings.putAccount(encryption.binding.id, boundOf(record, encryption));
  if (isListed) await service.directory.put(name);
  await insertAccount(record, { type: 'AccountCreated', actor, key: wrappedByOf(encryption) }, service);
}

/** Writes accounts under the system key, each with an account key of its own, without a name in the directory. */
export async function seedUnderSystemKey(names: readonly string[], service: Service): Promise<void> {
  const limit = pLimit(atATime);
  const seed = async (name: string) => {
    const place = { instanceId: service.random.uuid(), account: name, generation: 1 };
    const accountKey = service.random.bytes(32);
    const wrappedAccountKey = await wrapBySystemKey(place, accountKey, service);
    wipe(accountKey);
    const now = service.clock.now();
    const about = { name, instanceId: place.instanceId, owner: 'contoso', location, createdAt: now, updatedAt: now };
    const key = { encryption: { type: 'SystemKey' }, accountKeyGeneration: 1, wrappedAccountKey } as const;
    const created = { type: 'AccountCreated', actor, key: 'SystemKey' } as const;
    await insertAccount({ lifecycle: 'active', ...about, tags: {}, ...key }, created, service);
  };
  await Promise.all(names.map((name) => limit(() => seed(name))));
}
