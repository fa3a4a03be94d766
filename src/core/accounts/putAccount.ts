/**
 * Creates and changes accounts: reads the account, lets `planChange` decide, and acts.
 *
 * Order of a change to a customer key: validate the key (nothing is stored yet) → wrap and prove by a remote unwrap →
 * bound row → watch learns the version → claim vault and identity → record with its audit entry → read the watch again.
 * A crash in between leaves a surplus claim, row or watch, all harmless, and never a surplus record.
 */

import type { Actor, AuditFacts } from '../audit/auditFacts.ts';
import { LostRace, retryLostRaces } from '../base/errors.ts';
import { parseAccountName } from '../base/names.ts';
import { refuseForeign } from '../customerKey/claims.ts';
import { type AccountView, type ActiveAccount, etagOf } from './account.ts';
import { assertRingsOpenStoredKey } from './accountKey.ts';
import { discardSample } from './bindAccount.ts';
import { createAccount } from './createAccount.ts';
import type { AccountsDeps } from './deps.ts';
import { withKeyUse } from './keyUse.ts';
import { refuseWhilePending } from './pendingDeletion.ts';
import { type AccountPlan, planChange, type RequestedAccount } from './planChange.ts';
import type { KnownAccount } from './processState.ts';
import { changeKey } from './protectAccountKey.ts';
import { accountNotFound, findAccount, savedView } from './readAccount.ts';
import { saveKeyChange } from './saveKeyChange.ts';
import { changedDuringCall, checkPreconditions, type Preconditions, saveAccount, storedOf } from './writeAccount.ts';

export interface AccountChange extends RequestedAccount {
  readonly conditions?: Preconditions;
  /** The account as this call has read it already. Absent, or from a cache: the change reads it. */
  readonly known?: KnownAccount | undefined;
}

export interface SavedAccount {
  readonly view: AccountView;
  readonly created: boolean;
}

/** PUT: creates the account, or changes it to the input. */
export const putAccount = (change: AccountChange, deps: AccountsDeps): Promise<SavedAccount> =>
  changeAccount(change, deps, async (current) => {
    // A creation that was delayed too long and crashed may have left a key that no ring opens. Its retry must not
    // succeed.
    if (current !== undefined) await assertRingsOpenStoredKey(current.record, deps);
    const view = await carryOut(planChange(current, change, deps), change.actor, deps);
    return { view, created: current === undefined };
  });

/** PATCH: changes the properties of the input. @throws Refusal AccountNotFound */
export const patchAccount = (change: AccountChange, deps: AccountsDeps): Promise<AccountView> =>
  changeAccount(change, deps, (current) => {
    if (current === undefined) throw accountNotFound(change.name);
    return carryOut(planChange(current, change, deps), change.actor, deps);
  });

/**
 * Reads the account and attempts the change, again when another writer was faster. With If-Match the caller decides
 * again instead. Writers of this process that call no vault take turns at an account, so none of them loses a race to
 * another. A writer that may wait for a vault blocks no other writer.
 */
function changeAccount<T>(
  { name, input, conditions = {}, known }: AccountChange,
  deps: AccountsDeps,
  attempt: (current: AccountView | undefined) => Promise<T>,
): Promise<T> {
  const folded = parseAccountName(name);
  let read = known?.isRemembered === false ? known : undefined;
  const race = () =>
    retryLostRaces(async () => {
      const current = read === undefined ? await findAccount(folded, deps) : read.view;
      read = undefined;
      checkPreconditions(conditions, current && etagOf(current.record));
      // Deleted since the gate has read it.
      if (current !== undefined) refuseWhilePending(current.record);
      try {
        return await attempt(current);
      } catch (error) {
        throw error instanceof LostRace && conditions.ifMatch !== undefined ? changedDuringCall() : error;
      }
    });
  return input.encryption === undefined ? deps.serialize(folded, race) : race();
}

const isAuditedNow = (before: ActiveAccount, after: ActiveAccount): boolean =>
  after.auditKeyUse === true && before.auditKeyUse !== true;

async function carryOut(plan: AccountPlan, actor: Actor, deps: AccountsDeps): Promise<AccountView> {
  switch (plan.kind) {
    case 'create': {
      const account = { ...plan.account, instanceId: deps.random.uuid() };
      return withKeyUse({ record: account, purpose: 'create', actor }, deps, (recording) =>
        createAccount(account, plan.encryption, actor, recording),
      );
    }
    case 'refuseRelease':
      if (plan.binding !== undefined) await refuseForeign(plan.binding, plan.owner, deps);
      throw plan.refusal;
    case 'keep':
      return plan.before;
    case 'saveSettings': {
      const { before, next, facts } = plan;
      const saved = await saveAccount(storedOf(before), next, facts, deps);
      if (isAuditedNow(before.record, next)) await discardSample(next, deps);
      return savedView(saved, before.watch, deps);
    }
    case 'changeKey': {
      const { before, next, facts: pending, encryption } = plan;
      return withKeyUse({ record: next, purpose: 'change', actor }, deps, async (recording) => {
        const key = await changeKey({ ...before, record: next }, encryption, recording);
        const change: AuditFacts = { type: 'AccountKeyChanged', actor };
        const view = await saveKeyChange(before, next, key, { pending, change }, recording);
        if (isAuditedNow(before.record, next)) await discardSample(view.record, deps);
        return view;
      });
    }
  }
}
