/**
 * Runs a change of an account as a long-running operation. The change is validated, and normally completed, within the
 * call, so that a refusal is immediate and has its code and details. Only when the customer's vault does not answer, a
 * background message retries it.
 *
 * The message for the retry is sent before the row is written: a crash in between leaves a message that finds nothing.
 *
 * While a change waits, only the key is compared. After other changes in the meantime the change is made as if it had
 * come now, unless the caller's conditions, which stay valid, say otherwise.
 */

import { type AccountView, etagOf } from '../accounts/account.ts';
import { appendToChain } from '../accounts/appendAuditEntry.ts';
import { deleteAccount } from '../accounts/deleteAccount.ts';
import { refuseUnlessEnabled } from '../accounts/gate.ts';
import { isRelease } from '../accounts/planChange.ts';
import { patchAccount, putAccount, type SavedAccount } from '../accounts/putAccount.ts';
import { findAccount } from '../accounts/readAccount.ts';
import type { Preconditions } from '../accounts/writeAccount.ts';
import { recordForService } from '../audit/serviceAudit.ts';
import type { ArmPath } from '../base/armPath.ts';
import { KeywardError, LostRace, Refusal, Unavailable } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { bindingOf } from '../customerKey/binding.ts';
import { parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import { parseDeferred } from './deferredChange.ts';
import type { AmsDeps } from './deps.ts';
import { type Basis, type Change, newOperationId, type Operation, type RequestedChange } from './operation.ts';
import { failureOf, isDenial, isUnreachable } from './operationFailure.ts';

const keyward = { kind: 'keyward', id: 'operations' } as const;

export interface Begun {
  readonly operation: Operation;
  /** The account after the change; before it, while the change waits; absent while there is no account yet. */
  readonly view: AccountView | undefined;
  readonly created: boolean;
}

/**
 * `now`: conditions for the try within the call alone, where the change was made from the account as the caller saw it.
 * @throws Refusal for every fault of the change @throws Unavailable for failures other than an unreachable vault
 */
export async function beginOperation(
  change: RequestedChange,
  conditions: Preconditions,
  deps: AmsDeps,
  now: Preconditions = conditions,
): Promise<Begun> {
  const startedAt = deps.clock.now();
  const id = newOperationId(startedAt, deps.random.uuid());
  const about = { id, account: fold(change.account), place: change.input.place, startedAt };
  const before = await findAccount(change.account, deps);
  try {
    const { view, created } = await carryOut(change, now, deps);
    const operation = { ...about, status: 'Succeeded' as const, endedAt: deps.clock.now() };
    await deps.operations.insert(operation);
    return { operation, view, created };
  } catch (error) {
    if (!isUnreachable(error) || isReleaseOf(before, change, deps)) throw error;
    const { account, method, input } = change;
    const basis = before === undefined ? {} : { basis: basisOf(before) };
    const deferred = { account, method, input };
    const pending = { change: deferred, conditions, ...basis, failure: failureOf(error, change, deps) };
    const operation = { ...about, status: 'InProgress' as const, pending };
    await tryAgain(id, deps);
    await deps.operations.insert(operation);
    if (before === undefined) await deps.operations.markCreation(operation);
    await auditDeferred(before, change, id, deps);
    return { operation, view: before, created: before === undefined };
  }
}

/** What needs a role of its caller does not wait, because no role is stored (INV-15). */
const isReleaseOf = (before: AccountView | undefined, { input }: Change, deps: AmsDeps): boolean =>
  before !== undefined && isRelease(before.record, input.encryption, deps);

/** The caller, who is not stored with the operation. */
async function auditDeferred(
  before: AccountView | undefined,
  { account, actor }: RequestedChange,
  id: string,
  deps: AmsDeps,
): Promise<void> {
  const fact = { type: 'ChangeDeferred', actor, eventId: id } as const;
  if (before !== undefined && (await appendToChain(before.record, [fact], deps))) return;
  await recordForService([{ ...fact, account: fold(account) }], deps);
}

async function carryOut(
  { account, method, input, actor, mayRelease }: RequestedChange,
  conditions: Preconditions,
  deps: AmsDeps,
): Promise<SavedAccount> {
  const change = { name: account, input, conditions, actor, permissions: { mayRelease } };
  if (method === 'put') return putAccount(change, deps);
  return { view: await patchAccount(change, deps), created: false };
}

const tryAgain = (operation: string, { dailyQueue, policy }: AmsDeps) =>
  dailyQueue.send({ visit: 'operation', operation }, policy.operationRetrySeconds * 1000);

/** A rotation changes the version and not the key: it is no conflict. */
function basisOf({ record: { instanceId, encryption } }: AccountView): Basis {
  if (encryption.type === 'SystemKey') return { instanceId, encryption: 'SystemKey' };
  return { instanceId, encryption: `${encryption.binding.id} ${encryption.keyIdentifier}` };
}

function requestedKeyOf({ input: { encryption } }: Change, { cloud, homeTenantId }: AmsDeps): string {
  if (encryption?.type !== 'CustomerKey') return 'SystemKey';
  const { keyIdentifier, identity } = encryption;
  return `${bindingOf(parseKeyIdentifier(keyIdentifier, cloud), homeTenantId, identity).id} ${keyIdentifier}`;
}

/** One more try, started by a message. Harmless when it comes twice, or too late. */
export async function continueOperation(id: string, deps: AmsDeps): Promise<void> {
  const stored = await deps.operations.read(id);
  const { pending, ...operation } = stored?.value ?? {};
  if (stored === undefined || pending === undefined || stored.value.status !== 'InProgress') return;
  const { conditions, basis } = pending;
  const change = parseDeferred(pending.change);
  const save = (value: Operation) =>
    deps.operations.replace({ value, etag: stored.etag }).catch((error: unknown) => {
      // Another message was faster.
      if (!(error instanceof LostRace)) throw error;
    });
  const end = (ending: Pick<Operation, 'status' | 'error'>) =>
    save({ ...(operation as Operation), ...ending, endedAt: deps.clock.now() });
  // Its caller has the result, or is about to get it.
  const isOver = deps.clock.now() - stored.value.startedAt >= deps.policy.operationTimeoutSeconds * 1000;
  if (isOver) return end({ status: 'Failed', error: pending.failure });
  try {
    if (basis === undefined) await refuseDeleted(stored.value, deps);
    await refuseOvertaken(change, basis, deps);
    const trigger = { trigger: 'operation', eventId: id } as const;
    const request = { ...change, actor: keyward, mayRelease: false };
    const { view, created } = await carryOut(request, conditions, { ...deps, trigger });
    if (created) await refuseDeleted(stored.value, deps, view);
  } catch (error) {
    if (!(error instanceof KeywardError)) throw error;
    const failure = failureOf(error, change, deps);
    if (!(error instanceof Unavailable) || isDenial(error)) return end({ status: 'Failed', error: failure });
    if (!isUnreachable(error)) throw error;
    await tryAgain(id, deps);
    if (failure.message !== pending.failure.message) await save({ ...stored.value, pending: { ...pending, failure } });
    return;
  }
  await end({ status: 'Succeeded' });
}

/** Before an account is deleted at its ARM path: a creation of it that still waits is cancelled. */
export const cancelCreation = (account: string, place: ArmPath, { operations, clock }: AmsDeps): Promise<void> =>
  operations.markDeleted(fold(account), place, clock.now());

/**
 * A DELETE that came during the call to the vault found no account: the account `made` since then is deleted as it was
 * made.
 */
async function refuseDeleted(
  { account, place, startedAt }: Operation,
  deps: AmsDeps,
  made?: AccountView,
): Promise<void> {
  if (!(await deps.operations.isDeletedSince(account, place, { from: startedAt, to: deps.clock.now() }))) return;
  if (made !== undefined) {
    const asMade = { ifMatch: etagOf(made.record) };
    await deleteAccount(account, asMade, keyward, deps).catch((error: unknown) => {
      // Deleted, and perhaps created again, by a caller who has seen it.
      if (!(error instanceof Refusal) || error.code !== 'PreconditionFailed') throw error;
    });
  }
  throw new Refusal('Conflict', 'The account was deleted while its creation waited.');
}

/** INV-3 holds here as well. An account that was deleted or put under another key since is not changed back. */
async function refuseOvertaken(change: Change, basis: Basis | undefined, deps: AmsDeps): Promise<void> {
  const view = await findAccount(change.account, deps);
  if (view !== undefined) refuseUnlessEnabled(view);
  const now = view === undefined ? undefined : basisOf(view);
  if (now?.instanceId === basis?.instanceId && now?.encryption === basis?.encryption) return;
  // An earlier try did it and crashed before it could report that: repeating it changes nothing.
  const isDone = now !== undefined && now.encryption === requestedKeyOf(change, deps);
  if (isDone && (basis === undefined || basis.instanceId === now.instanceId)) return;
  throw new Refusal(
    'Conflict',
    'The account was created or deleted, or changed to another key, while this operation waited.',
  );
}
