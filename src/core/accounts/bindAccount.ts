/**
 * Putting an account on the list of those that its key's watch speaks for. The row comes first, then the watch learns the
 * version, then the owner claims vault and identity, then (by the caller) the record names it, then the watch is read again: an
 * extra row is a hint too many, while a record without a row or a watch would be an account that nobody looks at, and a claim
 * before the row could be released in between (claims.ts).
 */

import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import { claimFor } from '../customerKey/claims.ts';
import type { BoundAccount } from '../watch/ports.ts';
import { ensureWatched } from '../watch/updateWatch.ts';
import { type ActiveAccount, boundOf, type Encryption, wrappedByOf } from './account.ts';
import type { AccountsDeps } from './deps.ts';

/**
 * Before the record is written. Answers with the encryption to write: it has all verdicts up to now.
 * @throws Refusal OwnerMismatch when another owner was faster
 */
export async function bind(
  record: Pick<ActiveAccount, 'name' | 'instanceId' | 'owner'>,
  encryption: Encryption,
  provenAt: EpochMs,
  service: AccountsDeps,
): Promise<Encryption> {
  if (encryption.type === 'SystemKey') return encryption;
  const { binding, version } = encryption;
  await service.bindings.putAccount(binding.id, boundOf(record, encryption));
  const watch = await ensureWatched(binding, version, provenAt, service);
  await claimFor(record.owner, binding, service);
  return { ...encryption, reconciledEpoch: watch.epoch };
}

/** After the record is written: a version that nobody seemed to use may have left the watch meanwhile. */
export async function confirmWatched(encryption: Encryption, provenAt: EpochMs, service: AccountsDeps): Promise<void> {
  if (encryption.type === 'SystemKey') return;
  const watch = await service.bindings.readWatch(encryption.binding.id);
  if (watch?.value.versions[encryption.version] === undefined)
    await ensureWatched(encryption.binding, encryption.version, provenAt, service);
}

/** The row of the key that the account is leaving, as it stands before the record is written. */
export async function rowToLeave(
  record: ActiveAccount,
  service: AccountsDeps,
): Promise<Stored<BoundAccount> | undefined> {
  const { encryption } = record;
  if (encryption.type === 'SystemKey') return undefined;
  return service.bindings.readAccount(encryption.binding.id, boundOf(record, encryption));
}

export async function leaveBinding(
  before: Encryption,
  after: Encryption,
  row: Stored<BoundAccount> | undefined,
  service: AccountsDeps,
): Promise<void> {
  if (before.type === 'SystemKey' || row === undefined) return;
  const isSameRow = after.type === 'CustomerKey' && after.binding.id === before.binding.id;
  if (isSameRow && wrappedByOf(before) === wrappedByOf(after)) return;
  await service.bindings.removeAccount(before.binding.id, row);
}
