/**
 * Re-wrapping an account key: opened under the old version, wrapped locally under the new one, opened remotely under the new
 * one, and only then one conditional write names the new blob (INV-1, INV-7, INV-12). Costs two unwraps an account; what is
 * encrypted below the account key is untouched. It can stop anywhere and be begun again.
 */
import type { ActiveAccount, CustomerKeyEncryption } from '../account.ts';
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
import { type BoundRow, boundAccounts } from './boundAccounts.ts';

const keyward = { kind: 'keyward', id: 'rewrap' } as const;

/** The versions that still wrap somebody and are not the one to be on. */
export function versionsBehind(watch: Watch): string[] {
  if (watch.targetVersion === undefined) return [];
  return Object.keys(watch.versions).filter((version) => version !== watch.targetVersion);
}

/** At most `accountsPerMessage` of the accounts that follow the latest version and are behind it. */
export async function rewrapFollowers(
  watch: Watch,
  target: KeyDescription,
  service: Service,
): Promise<{ done: boolean }> {
  let left = service.policy.accountsPerMessage;
  for (const version of versionsBehind(watch)) {
    for await (const row of boundAccounts(watch.binding.id, { version, onlyFollowing: true }, service)) {
      if (left === 0) return { done: false };
      const trouble = await retryLostRaces(() => rewrapAccount(row, watch, target, service));
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
  watch: Watch,
  target: KeyDescription,
  service: Service,
): Promise<Cause | 'alreadyThere' | undefined> {
  const stored = await service.accounts.read(row.value.name);
  if (stored?.value.lifecycle !== 'active' || stored.value.instanceId !== row.value.instanceId) return 'alreadyThere';
  const record = stored.value;
  const { encryption } = record;
  const isBehind =
    encryption.type === 'CustomerKey' &&
    encryption.binding.id === watch.binding.id &&
    encryption.follows &&
    encryption.version !== target.version;
  if (!isBehind) return 'alreadyThere';
  const trouble = await rewrapRecord({ value: record, etag: stored.etag }, encryption, watch, target, service);
  // The row was listed before the record was read, and the record has left it: nobody can be on the way back unseen.
  if (trouble === undefined) await service.bindings.removeAccount(watch.binding.id, row);
  return trouble;
}

async function rewrapRecord(
  stored: Stored<ActiveAccount>,
  encryption: CustomerKeyEncryption,
  watch: Watch,
  target: KeyDescription,
  service: Service,
): Promise<Cause | undefined> {
  const record = stored.value;
  const opened = await openAccountKey(record, service);
  if (!opened.ok) return opened.cause;
  try {
    const proven = await wrapByCustomerKey(placeOf(record), opened.value, encryption.binding, target, service);
    if (!proven.ok) return proven.cause;
    await ensureWatched(encryption.binding, target.version, proven.value.at, service);
    await service.bindings.putAccount(
      encryption.binding.id,
      boundOf(record, { ...encryption, version: target.version }),
    );
    await saveRewrapped(stored, watch, target.version, proven.value, service);
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
