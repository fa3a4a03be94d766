/**
 * The gate of an account that is not Enabled. In the Customer Key Inaccessible state (INV-3) exactly GET, LIST and
 * DELETE pass, of all calls on an account. While a deletion is pending, recover passes too. Every account route passes
 * the gate, except the routes that the route table marks. The verdict is read at the moment of the call.
 */

import { actorOf, type Cause, classOf, meaningOf, remedyOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { Refusal, Unavailable } from '../base/errors.ts';
import type { RemedyTarget } from '../base/remedies.ts';
import { iso } from '../base/time.ts';
import type { Answer } from '../customerKey/ports.ts';
import { isOfReplacedIdentity } from '../watch/judge.ts';
import { type AccountView, type ActiveAccount, stateOf, verdictOn } from './account.ts';
import type { AccountsDeps } from './deps.ts';
import { refuseWhilePending } from './pendingDeletion.ts';

/** The key of an account, as a remedy names it; its version is the one in use unless another is meant. */
export function remedyTargetOf(
  { record, watch }: Pick<AccountView, 'record' | 'watch'>,
  version?: string,
): RemedyTarget {
  const { encryption, location } = record;
  if (encryption.type === 'SystemKey') return { vaultName: '', keyName: '', location };
  const { principalId } = watch?.calledAs ?? {};
  const { deniedAs, clientAddress } = watch?.versions[encryption.version] ?? {};
  return {
    ...encryption.binding,
    version: version ?? encryption.version,
    location,
    isControlLookFailed: deniedAs !== undefined,
    ...defined({ principalId, clientAddress }),
  };
}

type UnwrapFailure = Extract<Answer<never>, { ok: false }>;

/**
 * @throws Refusal AccountPendingDeletion with the end of the window, or CustomerKeyInaccessible with cause, since, who
 * acts and remedy.
 */
export function refuseUnlessEnabled(view: AccountView): void {
  refuseWhilePending(view.record);
  if (view.record.encryption.type === 'SystemKey' || stateOf(view) === 'Enabled') return;
  const { cause = 'UnknownResponse', since = 0 } = verdictOn(view) ?? {};
  const info = infoOf(view, cause);
  throw new Refusal(
    'CustomerKeyInaccessible',
    `The customer key of this account is inaccessible since ${iso(since)} (${cause}): ${meaningOf(cause)} Until access returns, only GET, LIST and DELETE of the account work. ${info.remedy}`,
    { target: view.record.name, info },
  );
}

/**
 * Why the account key did not open. The denial of a principal that the customer never granted is Keyward's own fault.
 */
export function causeOf({ watch }: AccountView, { cause, observed }: UnwrapFailure): Cause {
  const { principal } = observed;
  return watch !== undefined && isOfReplacedIdentity(watch, { cause, ...defined({ principal }) })
    ? 'IdentityReplaced'
    : cause;
}

/** A denial is no evidence here. It requests a look, which is. */
export async function requestLookAfter(
  cause: Cause,
  { encryption }: Pick<ActiveAccount, 'encryption'>,
  { requestLook }: Pick<AccountsDeps, 'requestLook'>,
): Promise<void> {
  const isDenial = ['denied', 'networkPolicy'].includes(classOf(cause));
  if (isDenial && encryption.type === 'CustomerKey') await requestLook(encryption.binding);
}

/** A retry helps soon, or only after a person has acted. */
const retrySoonSeconds = 10;
const retryLaterSeconds = 60;

/**
 * The account key cannot be used now. Never a 403: only the verdict blocks an account (INV-2). A wrapped key that is
 * not the account's is no outage either, and a repetition does not fix it.
 */
export function keyUnreachable(view: AccountView, cause: Cause): Unavailable | Refusal {
  const about = { target: view.record.name, info: infoOf(view, cause) };
  const { remedy } = about.info;
  if (cause === 'KeyMaterialMismatch') return new Refusal(cause, `${meaningOf(cause)} ${remedy}`, about);
  const helpsToRetry = ['unreachable', 'denied'].includes(classOf(cause)) || cause === 'StorageUnavailable';
  const seconds = helpsToRetry ? retrySoonSeconds : retryLaterSeconds;
  const next = helpsToRetry ? `Retry after ${seconds} s.` : 'A retry does not help before that is fixed.';
  return new Unavailable(
    'CustomerKeyUnreachable',
    `Keyward cannot use the key of this account now (${cause}): ${meaningOf(cause)} The account stays Enabled. ${next} ${remedy}`,
    seconds,
    about,
  );
}

/** For programs: the same on every refusal because of a key. `since`: of the verdict, where it has the same cause. */
function infoOf(view: AccountView, cause: Cause) {
  const verdict = verdictOn(view);
  const since = verdict?.cause === cause ? iso(verdict.since) : undefined;
  return defined({ cause, since, whoActs: actorOf(cause), remedy: remedyOf(cause, remedyTargetOf(view)) });
}
