/**
 * Deletes an account: at once, or after a waiting window (pendingDeletion.ts). One batch first removes the wrapped key
 * and adds the audit entry; from then on no process can open anything of the account (crypto-shredding). The remaining
 * rows are removed resumably. A tombstone retains the head of the audit chain.
 */

import type { Actor } from '../audit/auditFacts.ts';
import type { ArmPath } from '../base/armPath.ts';
import { DamagedRow } from '../base/damagedRow.ts';
import { defined } from '../base/defined.ts';
import { LostRace, retryLostRaces } from '../base/errors.ts';
import { fold, parseAccountName } from '../base/names.ts';
import { type AccountView, boundOf, etagOf, wrappedByOf } from './account.ts';
import { deleteDamaged } from './deleteDamaged.ts';
import type { AccountsDeps } from './deps.ts';
import { removeStaleName } from './directoryNames.ts';
import { catchUp, catchUpDeleted } from './missingVerdictEntries.ts';
import { hasProtectedData, scheduleDeletion } from './pendingDeletion.ts';
import { findAccount } from './readAccount.ts';
import { checkPreconditions, type Preconditions, saveAccount, storedOf } from './writeAccount.ts';

/** Destroys the account now. Returns whether there was one. Works in every state of the account. */
export async function deleteAccount(
  name: string,
  conditions: Preconditions,
  actor: Actor,
  deps: AccountsDeps,
): Promise<boolean> {
  return (await deleteOrSchedule(name, conditions, actor, deps, async () => false)) !== 'absent';
}

/**
 * Deletes the account, and returns it while it can still be recovered: that is so when the account protects anything
 * and the service has a waiting window. A deletion that is pending already keeps its time.
 */
export function requestDeletion(
  name: string,
  conditions: Preconditions,
  actor: Actor,
  deps: AccountsDeps,
): Promise<AccountView | 'deleted' | 'absent'> {
  const waits = async ({ record }: AccountView) =>
    record.pendingDeletion !== undefined || (deps.policy.deleteAfterDays > 0 && (await hasProtectedData(record, deps)));
  return deleteOrSchedule(name, conditions, actor, deps, waits);
}

async function deleteOrSchedule(
  name: string,
  conditions: Preconditions,
  actor: Actor,
  deps: AccountsDeps,
  waits: (view: AccountView) => Promise<boolean>,
): Promise<AccountView | 'deleted' | 'absent'> {
  const folded = parseAccountName(name);
  const result = await retryLostRaces(async () => {
    const current = await findUnlessDamaged(folded, conditions, actor, deps);
    if (current === 'damaged') return 'deleted';
    checkPreconditions(conditions, current && etagOf(current.record));
    if (current === undefined) {
      await removeStaleName(folded, deps);
      return 'absent';
    }
    if (await waits(current))
      return current.record.pendingDeletion === undefined ? scheduleDeletion(current, actor, deps) : current;
    await shredOrDelete(current, actor, deps);
    return 'deleted';
  });
  if (typeof result === 'string') await finishDelete(folded, deps);
  return result;
}

/**
 * Removes the wrapped key: from then on nothing of the account opens. `finishDelete` does the rest. @throws LostRace
 */
export async function shred(current: AccountView, actor: Actor, deps: AccountsDeps): Promise<void> {
  const { record, facts: pending } = catchUp(current.record, current.watch);
  const { tags: _tags, kept: _kept, encryption, accountKeyGeneration: _, auditKeyUse: __, ...settings } = record;
  const { leaseSeconds: ___, pendingDeletion: ____, wrappedAccountKey: _shredded, ...keys } = settings;
  const { olderAccountKeys: _shreddedToo, dataKeyGenerations, ...about } = keys;
  const bound =
    encryption.type === 'CustomerKey'
      ? {
          bound: {
            bindingId: encryption.binding.id,
            account: boundOf(record, encryption),
            reconciledEpoch: encryption.reconciledEpoch,
            key: wrappedByOf(encryption),
          },
        }
      : {};
  const hasDataKeys = dataKeyGenerations === undefined ? undefined : true;
  const deleting = { ...about, lifecycle: 'deleting', ...bound, ...defined({ hasDataKeys }) } as const;
  await saveAccount(storedOf(current), deleting, [...pending, { type: 'AccountDeleted', actor }], deps);
}

/** A record that is older than its chain takes no entry: it counts as damaged. */
async function shredOrDelete(current: AccountView, actor: Actor, deps: AccountsDeps): Promise<void> {
  try {
    await shred(current, actor, deps);
  } catch (error) {
    if (!(error instanceof DamagedRow)) throw error;
    await deleteDamaged(fold(current.record.name), current.etag, actor, deps);
  }
}

/** `damaged`: the record was, and its account is being deleted now. */
async function findUnlessDamaged(
  folded: string,
  { ifMatch }: Preconditions,
  actor: Actor,
  deps: AccountsDeps,
): Promise<AccountView | 'damaged' | undefined> {
  try {
    return await findAccount(folded, deps);
  } catch (error) {
    const etag = error instanceof DamagedRow ? await deps.accounts.damagedEtag(folded) : undefined;
    if (etag === undefined) throw error;
    // A damaged record has no ETag that a caller could know.
    checkPreconditions(defined({ ifMatch }), '');
    await deleteDamaged(folded, etag, actor, deps);
    return 'damaged';
  }
}

/** Removes what an interrupted delete has left, if there is one. Safe to repeat, by any process. */
export async function finishDelete(folded: string, deps: AccountsDeps): Promise<void> {
  await retryLostRaces(async () => {
    const stored = await deps.accounts.read(folded);
    if (stored?.value.lifecycle !== 'deleting') return;
    const { bound, place } = stored.value;
    // Conditional on the record: a process that is delayed here takes nothing from a new account of this name.
    const withoutSecrets = await deps.secrets.clear(folded, stored.etag);
    const etag = await deps.resources.clear(folded, withoutSecrets);
    if (stored.value.hasDataKeys) await deps.dataKeyUse.clear(folded);
    if (bound !== undefined) {
      // Before the bound row is removed: afterwards no worker would add a verdict that was stored just before the
      // delete.
      const watch = await deps.bindings.readWatch(bound.bindingId);
      const { record, facts } = catchUpDeleted(stored.value, watch?.value);
      if (facts.length > 0) {
        await saveAccount({ ...stored, etag }, record, facts, deps);
        throw new LostRace('The record has its last verdicts now: go on from there.');
      }
      const row = await deps.bindings.readAccount(bound.bindingId, bound.account);
      if (row !== undefined) await deps.bindings.removeAccount(bound.bindingId, row);
      await deps.bindings.removeSample(bound.bindingId);
    }
    // Under the ETag read before: a row that a new account of this name has written in the meantime stays.
    const listed = await listedAs(folded, place, deps);
    await deps.accounts.replaceWithTombstone({ ...stored, etag });
    // That of the subscription first: the other one leads a DELETE after a crash to the name.
    for (const { list, etag: asListed } of listed.reverse()) await deps.directory.remove(folded, asListed, list);
  });
}

/** The account's rows in the directory: among all accounts, and among those of its subscription. */
async function listedAs(folded: string, place: ArmPath | undefined, { directory }: Pick<AccountsDeps, 'directory'>) {
  const lists = place === undefined ? [undefined] : [undefined, place];
  const rows = lists.map(async (list) => ({ list, etag: (await directory.find(folded, list))?.etag }));
  return (await Promise.all(rows)).flatMap(({ list, etag }) => (etag === undefined ? [] : [{ list, etag }]));
}
