/**
 * Binds an account to the watch of its key. Order: bound row, watch learns the version, owner claims vault and
 * identity, (by the caller) record names the binding, watch is read again. A surplus row is a harmless hint. A record
 * without a row or a watch would be an account that no look covers. A claim before the row could be released in between
 * (customerKey/claims.ts).
 */

import type { Stored } from '../base/stored.ts';
import { claimFor } from '../customerKey/claims.ts';
import type { BoundAccount } from '../watch/ports.ts';
import { ensureWatched, type Proof } from '../watch/updateWatch.ts';
import type { Watch } from '../watch/watch.ts';
import { type ActiveAccount, boundOf, type Encryption, wrappedByOf } from './account.ts';
import type { AccountsDeps } from './deps.ts';

/**
 * Runs before the record is written. Returns the encryption to write, which includes all verdicts up to now.
 * @throws Refusal OwnerMismatch when another owner claimed first
 */
export async function bind(
  record: Pick<ActiveAccount, 'name' | 'instanceId' | 'owner'>,
  encryption: Encryption,
  proof: Proof,
  deps: AccountsDeps,
): Promise<Encryption> {
  if (encryption.type === 'SystemKey') return encryption;
  const { binding, version } = encryption;
  await deps.bindings.putAccount(binding.id, boundOf(record, encryption));
  const watch = await ensureWatched(binding, version, proof, deps);
  await claimFor(record.owner, binding, deps);
  return { ...encryption, reconciledEpoch: watch.epoch };
}

/**
 * Returns the watch after the record is written: a version that no account seemed to use may have left the watch in the
 * meantime.
 */
export async function confirmWatched(
  encryption: Encryption,
  proof: Proof,
  deps: AccountsDeps,
): Promise<Watch | undefined> {
  if (encryption.type === 'SystemKey') return undefined;
  const { binding, version } = encryption;
  const watch = (await deps.bindings.readWatch(binding.id))?.value;
  return watch?.versions[version] === undefined ? ensureWatched(binding, version, proof, deps) : watch;
}

/** The row of the key that the account is leaving, as it is before the record is written. */
export async function rowToLeave(record: ActiveAccount, deps: AccountsDeps): Promise<Stored<BoundAccount> | undefined> {
  const { encryption } = record;
  if (encryption.type === 'SystemKey') return undefined;
  return deps.bindings.readAccount(encryption.binding.id, boundOf(record, encryption));
}

export async function leaveBinding(
  before: Encryption,
  after: Encryption,
  row: Stored<BoundAccount> | undefined,
  deps: AccountsDeps,
): Promise<void> {
  if (before.type === 'SystemKey') return;
  const isSameRow = after.type === 'CustomerKey' && after.binding.id === before.binding.id;
  if (isSameRow && wrappedByOf(before) === wrappedByOf(after)) return;
  if (row !== undefined) await deps.bindings.removeAccount(before.binding.id, row);
  await deps.bindings.removeSample(before.binding.id);
}

/** The next look at the key reads the record, and not the copy beside the watch (watch/sample.ts). */
export async function discardSample({ encryption, ...record }: ActiveAccount, deps: AccountsDeps): Promise<void> {
  if (encryption.type === 'SystemKey') return;
  // Changes the row, so that no look that has read the record before can store its copy.
  await deps.bindings.putAccount(encryption.binding.id, boundOf(record, encryption));
  await deps.bindings.removeSample(encryption.binding.id);
}
