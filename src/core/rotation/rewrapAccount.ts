/**
 * Re-wraps one account key. A vault opens it under the old version, Keyward wraps it locally under the new one, and the
 * vault opens the new blob. Only then one conditional write names the new blob (INV-1, INV-7, INV-12). It costs two
 * unwraps and does not change the data below the account key. It can stop anywhere and start again.
 */

import type { AccountRecord, ActiveAccount, CustomerKeyEncryption } from '../accounts/account.ts';
import { boundOf, wrappedByOf } from '../accounts/account.ts';
import { keyContextOf, openAccountKey, type Proven, wrapByCustomerKey } from '../accounts/accountKey.ts';
import { withKeyUse } from '../accounts/keyUse.ts';
import { catchUp } from '../accounts/missingVerdictEntries.ts';
import { saveAccount } from '../accounts/writeAccount.ts';
import type { Actor, AuditFacts } from '../audit/auditFacts.ts';
import { wipe } from '../base/bytes.ts';
import type { Cause } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { LostRace } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import type { KeyDescription, Observed } from '../customerKey/ports.ts';
import type { BoundRow } from '../watch/boundAccounts.ts';
import { ensureWatched, type Proof } from '../watch/updateWatch.ts';
import type { Watch } from '../watch/watch.ts';
import type { RotationDeps } from './deps.ts';

/** An account with a customer key, read together with its watch. */
export interface CustomerKeyAccount {
  readonly stored: Stored<ActiveAccount>;
  readonly encryption: CustomerKeyEncryption;
}

export interface Goal {
  readonly target: KeyDescription;
  /** Absent when the binding has lost its watch: then there are no verdicts to add. */
  readonly watch: Watch | undefined;
  readonly actor: Actor;
  /** The first account adds the version to the watch, so the others need not. */
  isWatched: boolean;
}

/** Which of the two versions failed to unwrap, and why. */
export interface UnwrapFailure {
  readonly at: 'old' | 'new';
  readonly cause: Cause;
  readonly observed: Observed;
}

export function boundIn(stored: Stored<AccountRecord> | undefined): CustomerKeyAccount | undefined {
  if (stored?.value.lifecycle !== 'active' || stored.value.encryption.type === 'SystemKey') return undefined;
  return { stored: { value: stored.value, etag: stored.etag }, encryption: stored.value.encryption };
}

/** Whether the record still equals the row. */
export const isNamed = (
  { stored, encryption }: CustomerKeyAccount,
  { value: row }: BoundRow,
  bindingId: string,
): boolean =>
  stored.value.instanceId === row.instanceId &&
  encryption.binding.id === bindingId &&
  encryption.version === row.version;

/**
 * Undefined when the account has been re-wrapped. @throws LostRace when another writer has changed the account's key.
 */
export function rewrapAccount(
  account: CustomerKeyAccount,
  goal: Goal,
  deps: RotationDeps,
): Promise<UnwrapFailure | undefined> {
  const user = { record: account.stored.value, purpose: 'rewrap', actor: goal.actor } as const;
  return withKeyUse(user, deps, (recording) => rewrap(account, goal, recording));
}

async function rewrap(account: CustomerKeyAccount, goal: Goal, deps: RotationDeps): Promise<UnwrapFailure | undefined> {
  const { binding } = account.encryption;
  const record = account.stored.value;
  const opened = await openAccountKey(record, deps);
  if (!opened.ok) return { at: 'old', ...opened };
  try {
    const proven = await wrapByCustomerKey(keyContextOf(record), opened.value, binding, goal.target, deps);
    if (!proven.ok) return { at: 'new', ...proven };
    await deps.bindings.putAccount(
      binding.id,
      boundOf(record, { ...account.encryption, version: goal.target.version }),
    );
    if (!goal.isWatched) await ensureWatched(binding, goal.target.version, proofOf(proven.value), deps);
    goal.isWatched = true;
    await save(account, goal, proven.value, deps);
    return undefined;
  } finally {
    wipe(opened.value);
  }
}

const proofOf = ({ at, observed }: Proven): Proof => ({
  at,
  isRotation: true,
  ...defined({ principal: observed.principal }),
});

/** When another writer has changed other properties of the account, this costs a read but no second proof. */
async function save(account: CustomerKeyAccount, goal: Goal, proven: Proven, deps: RotationDeps): Promise<void> {
  let current = account;
  for (let tries = 1; ; tries++) {
    try {
      return await saveRewrapped(current, goal, proven, deps);
    } catch (error) {
      if (!(error instanceof LostRace) || tries === 5) throw error;
      const again = boundIn(await deps.accounts.read(account.stored.value.name));
      if (again === undefined || !isSameKey(again.stored.value, account.stored.value)) throw error;
      current = again;
    }
  }
}

const isSameKey = (a: ActiveAccount, b: ActiveAccount): boolean =>
  a.instanceId === b.instanceId && a.wrappedAccountKey === b.wrappedAccountKey;

async function saveRewrapped(
  { stored }: CustomerKeyAccount,
  goal: Goal,
  proven: Proven,
  deps: RotationDeps,
): Promise<void> {
  const { record, facts } = catchUp(stored.value, goal.watch);
  if (record.encryption.type !== 'CustomerKey') return;
  // Verdicts on the new version from before the change do not concern this account.
  const reconciledEpoch = goal.watch?.epoch ?? record.encryption.reconciledEpoch;
  const moved = { version: goal.target.version, rewrappedAt: proven.at, reconciledEpoch };
  const encryption = { ...record.encryption, ...moved };
  const { requestId } = proven.observed;
  const rewrapped: AuditFacts = {
    type: 'AccountKeyRewrapped',
    actor: goal.actor,
    before: wrappedByOf(record.encryption),
    after: wrappedByOf(encryption),
    ...defined({ keyVaultRequestId: requestId }),
  };
  const next = { ...record, encryption, wrappedAccountKey: proven.wrappedAccountKey };
  await saveAccount(stored, next, [...facts, rewrapped], deps);
}
