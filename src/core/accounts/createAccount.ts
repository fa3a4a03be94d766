/**
 * Creates an account. Order: the key is validated and proven by a remote unwrap (nothing is stored yet) → directory →
 * binding (bindAccount.ts) → record with its audit entry. A crash in between leaves rows that a new try removes or
 * uses, and never a record without them.
 */

import type { Actor, AuditFacts } from '../audit/auditFacts.ts';
import { type Bytes, wipe } from '../base/bytes.ts';
import { retryLostRaces } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import type { Stored } from '../base/stored.ts';
import type { Rings } from '../rings/ring.ts';
import { isSealStillValid } from '../rings/staleWriter.ts';
import { type AccountView, type ActiveAccount, wrappedByOf } from './account.ts';
import { keyContextOf } from './accountKey.ts';
import { bind, confirmWatched } from './bindAccount.ts';
import { finishDelete } from './deleteAccount.ts';
import type { AccountsDeps } from './deps.ts';
import type { NewAccount } from './planChange.ts';
import { type EncryptionInput, protect, resealAccountKey } from './protectAccountKey.ts';
import { savedView } from './readAccount.ts';
import { removeLeftovers } from './removeLeftovers.ts';
import { insertAccount, saveAccount } from './writeAccount.ts';

/** @throws LostRace when another caller has taken the name in the meantime. */
export async function createAccount(
  account: NewAccount & Pick<ActiveAccount, 'instanceId'>,
  input: EncryptionInput,
  actor: Actor,
  deps: AccountsDeps,
): Promise<AccountView> {
  const { name, instanceId, place } = account;
  const now = deps.clock.now();
  const rings = await deps.rings();
  const accountKey = deps.random.bytes(32);
  try {
    const context = { instanceId, account: fold(name), generation: 1 };
    const { proof, facts, ...key } = await protect(context, accountKey, input, account, deps);
    await finishDelete(fold(name), deps);
    await removeLeftovers(fold(name), deps);
    await deps.directory.put(fold(name));
    if (place !== undefined) await deps.directory.put(fold(name), place);
    const encryption = await bind(account, key.encryption, proof, deps);
    const created: AuditFacts = { type: 'AccountCreated', actor, key: wrappedByOf(encryption), ...facts };
    const record = { lifecycle: 'active', ...account, createdAt: now, updatedAt: now, ...key, encryption } as const;
    const inserted = await insertAccount(record, created, deps);
    const saved = await resealUntilValid(inserted, accountKey, rings, deps);
    return savedView(saved, await confirmWatched(encryption, proof, deps), deps);
  } finally {
    wipe(accountKey);
  }
}

/**
 * Repeats until the saved key is under ring generations that will not be destroyed without it (rings/staleWriter.ts).
 */
async function resealUntilValid(
  inserted: Stored<ActiveAccount>,
  accountKey: Bytes,
  used: Rings,
  deps: AccountsDeps,
): Promise<Stored<ActiveAccount>> {
  let [saved, rings] = [inserted, used];
  while (!(await isSealStillValid(rings, deps))) {
    rings = await deps.rings();
    const { encryption, wrappedAccountKey } = saved.value;
    const again = await resealAccountKey(keyContextOf(saved.value), accountKey, encryption, deps);
    const resealed = await retryLostRaces(async () => {
      const stored = await deps.accounts.read(fold(saved.value.name));
      // Another writer has changed or deleted the record since: nothing is left to do here.
      if (stored?.value.lifecycle !== 'active' || stored.value.wrappedAccountKey !== wrappedAccountKey)
        return undefined;
      const fact = { type: 'AccountKeyResealed', actor: { kind: 'keyward', id: 'rings' } } as const;
      return saveAccount(stored, { ...stored.value, wrappedAccountKey: again }, [fact], deps);
    });
    if (resealed === undefined) return saved;
    saved = resealed;
  }
  return saved;
}
