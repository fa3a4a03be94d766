/**
 * Re-wrapping an account key: opened under the old version, wrapped locally under the new one, opened remotely under the new
 * one, and only then one conditional write names the new blob (INV-1, INV-7, INV-12). Costs two unwraps an account; what is
 * encrypted below the account key is untouched. It can stop anywhere and be begun again.
 */
import type { AccountRecord, ActiveAccount, CustomerKeyEncryption } from '../account.ts';
import { boundOf, wrappedByOf } from '../account.ts';
import { openAccountKey, type Proven, placeOf, wrapByCustomerKey } from '../accountKeys.ts';
import { saveAccount } from '../accounts/write.ts';
import type { AuditFacts } from '../audit.ts';
import { wipe } from '../bytes.ts';
import { catchUp } from '../catchUp.ts';
import { type Cause, classOf } from '../causes.ts';
import { retryLostRaces } from '../errors.ts';
import type { KeyDescription, Stored } from '../ports.ts';
import type { Service } from '../service.ts';
import type { Watch } from '../watch.ts';
import { ensureWatched } from '../watching.ts';
import { type BoundRow, boundAccounts, staleRowMs } from './boundAccounts.ts';

const keyward = { kind: 'keyward', id: 'rewrap' } as const;

/** The versions that still wrap somebody and are not the one to be on. */
export function versionsBehind(watch: Watch): string[] {
  if (watch.targetVersion === undefined) return [];
  return Object.keys(watch.versions).filter((version) => version !== watch.targetVersion);
}

/** One run towards a version. */
interface Rotation {
  readonly watch: Watch;
  readonly target: KeyDescription;
  /** The watch learns the version with the first account: for the others it knows it already. */
  isWatched: boolean;
}

/** At most `accountsPerMessage` of the accounts that follow the latest version and are behind it. */
export async function rewrapFollowers(
  watch: Watch,
  target: KeyDescription,
  service: Service,
): Promise<{ done: boolean }> {
  const rotation: Rotation = { watch, target, isWatched: watch.versions[target.version] !== undefined };
  let left = service.policy.accountsPerMessage;
  for (const version of versionsBehind(watch)) {
    for await (const row of boundAccounts(watch.binding.id, { version, onlyFollowing: true }, service)) {
      if (left === 0) return { done: false };
      const trouble = await retryLostRaces(() => rewrapAccount(row, rotation, service));
      if (trouble === 'alreadyThere') continue;
      left -= 1;
      if (trouble === undefined) continue;
      service.log.warn('An account key was not re-wrapped', { account: row.value.name, cause: trouble });
      // A vault that does not answer, or denies, will not answer the next account either: leave it to the next look.
      if (classOf(trouble) !== 'ours') return { done: true };
    }
  }
  return { done: true };
}

/** Undefined when the account has been re-wrapped; else what stood in the way. */
async function rewrapAccount(
  row: BoundRow,
  rotation: Rotation,
  service: Service,
): Promise<Cause | 'alreadyThere' | undefined> {
  const stored = await service.accounts.read(row.value.name);
  const bindingId = rotation.watch.binding.id;
  const behind = stored === undefined ? undefined : recordBehind(stored, row, rotation);
  if (behind === undefined) {
    if (service.clock.now() - row.writtenAt > staleRowMs) await service.bindings.removeAccount(bindingId, row);
    return 'alreadyThere';
  }
  const trouble = await rewrapRecord(behind.stored, behind.encryption, rotation, service);
  // The row was listed before the record was read, and the record has left it: nobody can be on the way back unseen.
  if (trouble === undefined) await service.bindings.removeAccount(bindingId, row);
  return trouble;
}

interface Behind {
  readonly stored: Stored<ActiveAccount>;
  readonly encryption: CustomerKeyEncryption;
}

/** The record decides whether the account behind a row still waits for the version. */
function recordBehind({ value, etag }: Stored<AccountRecord>, row: BoundRow, rotation: Rotation): Behind | undefined {
  if (value.lifecycle !== 'active' || value.instanceId !== row.value.instanceId) return undefined;
  const { encryption } = value;
  if (encryption.type === 'SystemKey' || encryption.binding.id !== rotation.watch.binding.id) return undefined;
  const isBehind = encryption.follows && encryption.version !== rotation.target.version;
  return isBehind ? { stored: { value, etag }, encryption } : undefined;
}

async function rewrapRecord(
  stored: Stored<ActiveAccount>,
  encryption: CustomerKeyEncryption,
  rotation: Rotation,
  service: Service,
): Promise<Cause | undefined> {
  const { binding } = encryption;
  const { version } = rotation.target;
  const opened = await openAccountKey(stored.value, service);
  if (!opened.ok) return opened.cause;
  try {
    const proven = await wrapByCustomerKey(placeOf(stored.value), opened.value, binding, rotation.target, service);
    if (!proven.ok) return proven.cause;
    await service.bindings.putAccount(binding.id, boundOf(stored.value, { ...encryption, version }));
    if (!rotation.isWatched) await ensureWatched(binding, version, proven.value.at, service);
    rotation.isWatched = true;
    await saveRewrapped(stored, rotation.watch, version, proven.value, service);
    return undefined;
  } finally {
    wipe(opened.value);
  }
}

async function saveRewrapped(
  stored: Stored<ActiveAccount>,
  watch: Watch,
  version: string,
  proven: Proven,
  service: Service,
): Promise<void> {
  const { record, facts } = catchUp(stored.value, watch);
  if (record.encryption.type !== 'CustomerKey') return;
  const next = {
    ...record,
    encryption: { ...record.encryption, version },
    wrappedAccountKey: proven.wrappedAccountKey,
  };
  const { requestId } = proven.observed;
  const rewrapped: AuditFacts = {
    type: 'AccountKeyRewrapped',
    actor: keyward,
    before: wrappedByOf(record.encryption),
    after: wrappedByOf(next.encryption),
    ...(requestId === undefined ? {} : { keyVaultRequestId: requestId }),
  };
  await saveAccount(stored, next, [...facts, rewrapped], service);
}
