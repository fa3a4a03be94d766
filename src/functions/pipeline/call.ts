/** What a route's handler receives. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import type { AccountView } from '../../core/accounts/account.ts';
import type { KnownAccount, RefusedCall } from '../../core/accounts/processState.ts';
import type { Refusal } from '../../core/base/errors.ts';
import type { CustomerLink } from '../../core/customerPage/ports.ts';
import type { Service } from '../../core/service.ts';
import type { Caller } from './caller.ts';

export interface Call extends Caller {
  readonly request: HttpRequest;
  readonly service: Service;
  /** The account as the gate reads it, on routes that have a gate. */
  readonly known?: Promise<KnownAccount>;
  /** On the calls of a customer's link. */
  readonly link?: CustomerLink;
}

export type RouteHandler = (call: Call) => Promise<HttpResponseInit>;
/** Returns the refusal of the inaccessible state as the route sends it. */
export type WhenRefused = (refusal: Refusal, view: AccountView, call: Call) => Promise<Refusal>;
/** The handler of a route that must answer even when settings are missing or wrong. */
export type BareHandler = (call: Omit<Call, 'service' | 'known' | 'link'>) => Promise<HttpResponseInit>;
/**
 * Returns the facts to audit, or undefined when the call requested nothing sensitive. @throws Refusal when the call
 * cannot be read, which counts as undefined
 */
export type AuditedRefusal = (
  refusal: Refusal,
  request: HttpRequest,
  service: Service,
) => Promise<RefusedCall | undefined>;
