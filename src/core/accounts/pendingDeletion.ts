/**
 * The waiting window between the DELETE of an account and the destruction of its key. In the window the account refuses
 * every call but GET, LIST, DELETE and recover, and everything below it continues: key checks, re-wraps and re-seals.
 * So an account that comes back is up to date, and its customer's key may be lost by then like any other's.
 */
import type { Actor } from '../audit/auditFacts.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { type EpochMs, iso } from '../base/time.ts';
import { type AccountView, type ActiveAccount, etagOf, type PendingDeletion } from './account.ts';
import type { AccountsDeps } from './deps.ts';
import { catchUp } from './missingVerdictEntries.ts';
import { getAccount, savedView } from './readAccount.ts';
import { checkPreconditions, type Preconditions, saveAccount, storedOf } from './writeAccount.ts';

const dayMs = 86_400_000;

/** @throws Refusal AccountPendingDeletion that says until when and how the account can be recovered. */
export function refuseWhilePending({ name, pendingDeletion }: Pick<ActiveAccount, 'name' | 'pendingDeletion'>): void {
  if (pendingDeletion !== undefined) throw pendingRefusal(name, pendingDeletion, recoverText(name));
}

const recoverText = (name: string): string =>
  `Recover it with POST /api/accounts/${name}/recover, or destroy it now with DELETE /api/accounts/${name}?now=true.`;

function pendingRefusal(name: string, { deletedAt, purgeAt }: PendingDeletion, remedy: string): Refusal {
  const [since, scheduledPurgeAt] = [iso(deletedAt), iso(purgeAt)];
  return new Refusal(
    'AccountPendingDeletion',
    `The account was deleted at ${since}, and Keyward destroys its key at ${scheduledPurgeAt}. Until then only GET, LIST, DELETE and recover of the account work. ${remedy}`,
    { target: name, info: { since, scheduledPurgeAt, whoActs: 'operator', remedy } },
  );
}

/**
 * Whether a deletion would destroy anything: a secret of the account, or data that the service has under its data keys.
 */
export async function hasProtectedData(
  { name, dataKeyGenerations = [] }: ActiveAccount,
  { secrets }: Pick<AccountsDeps, 'secrets'>,
): Promise<boolean> {
  if (dataKeyGenerations.some(({ sealed }) => sealed !== undefined)) return true;
  return (await secrets.page(fold(name), { limit: 1 })).rows.length > 0;
}

/**
 * Begins the window. The schedule comes first: a row without a pending account is a hint that the purge removes.
 * @throws LostRace
 */
export async function scheduleDeletion(view: AccountView, actor: Actor, deps: AccountsDeps): Promise<AccountView> {
  const { clock, policy, purgeSchedule } = deps;
  const deletedAt = clock.now();
  const purgeAt: EpochMs = deletedAt + policy.deleteAfterDays * dayMs;
  await purgeSchedule.put({ name: fold(view.record.name), purgeAt });
  const { record, facts } = catchUp(view.record, view.watch);
  const next: ActiveAccount = { ...record, pendingDeletion: { deletedAt, purgeAt } };
  const entry = { type: 'AccountDeletionScheduled', actor, scheduledPurgeAt: iso(purgeAt) } as const;
  return savedView(await saveAccount(storedOf(view), next, [...facts, entry], deps), view.watch, deps);
}

/**
 * Takes the deletion back. No effect on an account that is not deleted. The row of the schedule stays: the purge finds
 * that the account does not name it any more.
 * @throws Refusal AccountNotFound | PreconditionFailed | AccountPendingDeletion when the window has ended
 */
export function recoverAccount(
  name: string,
  conditions: Preconditions,
  actor: Actor,
  deps: AccountsDeps,
): Promise<AccountView> {
  return retryLostRaces(async () => {
    const current = await getAccount(name, deps);
    checkPreconditions(conditions, etagOf(current.record));
    const { record, facts } = catchUp(current.record, current.watch);
    const { pendingDeletion, ...next } = record;
    if (pendingDeletion === undefined) return current;
    if (deps.clock.now() >= pendingDeletion.purgeAt)
      throw pendingRefusal(name, pendingDeletion, 'The time to recover it has ended: wait for the purge.');
    const entry = { type: 'AccountRecovered', actor } as const;
    return savedView(await saveAccount(storedOf(current), next, [...facts, entry], deps), current.watch, deps);
  });
}
