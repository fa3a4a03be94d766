/**
 * The gate of the Customer Key Inaccessible state (INV-3): of all calls on an account exactly GET, LIST and DELETE
 * pass. Every account route passes it, except the routes that the route table marks. The verdict is read at the moment
 * of the call.
 */

import { actorOf, type Cause, meaningOf, remedyOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { Refusal, Unavailable } from '../base/errors.ts';
import { iso } from '../base/time.ts';
import type { Answer } from '../customerKey/ports.ts';
import { isOfReplacedIdentity } from '../watch/judge.ts';
import { type AccountView, stateOf, verdictOn } from './account.ts';

type UnwrapFailure = Extract<Answer<never>, { ok: false }>;

/** @throws Refusal CustomerKeyInaccessible with cause, since and remedy. */
export function refuseWhileInaccessible(view: AccountView): void {
  const { encryption } = view.record;
  if (encryption.type === 'SystemKey' || stateOf(view) === 'Enabled') return;
  const verdict = verdictOn(view);
  const cause = verdict?.cause ?? 'UnknownResponse';
  const since = iso(verdict?.since ?? 0);
  const remedy = remedyOf(cause, encryption.binding);
  throw new Refusal(
    'CustomerKeyInaccessible',
    `The customer key of this account is inaccessible since ${since}: ${meaningOf(cause)} Until access is back, the account can be read, listed and deleted, and nothing else. ${remedy}`,
    { target: view.record.name, info: { cause, since, remedy, actor: actorOf(cause) } },
  );
}

/** Why the account key did not open. The denial of a principal that the customer never granted is Keyward's own fault. */
export function causeOf({ watch }: AccountView, { cause, observed }: UnwrapFailure): Cause {
  const { principal } = observed;
  return watch !== undefined && isOfReplacedIdentity(watch, { cause, ...defined({ principal }) })
    ? 'IdentityReplaced'
    : cause;
}

/** The account key could not be opened now. Never a 403: only the verdict blocks an account (INV-2). */
export function keyUnreachable(view: AccountView, cause: Cause): Unavailable {
  return new Unavailable(
    'CustomerKeyUnreachable',
    `The account key could not be opened just now: ${meaningOf(cause)} Try again.`,
    10,
    { target: view.record.name, info: { cause } },
  );
}
