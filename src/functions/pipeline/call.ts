/** What a route's handler gets. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import type { AccountView } from '../../core/accounts/account.ts';
import type { KnownAccount } from '../../core/accounts/processState.ts';
import type { Refusal } from '../../core/base/errors.ts';
import type { Service } from '../../core/service.ts';
import type { Caller } from './authorize.ts';

export interface Call extends Caller {
  readonly request: HttpRequest;
  readonly service: Service;
  /** Where the route has a gate: the account as the gate reads it. */
  readonly known?: Promise<KnownAccount>;
}

export type RouteHandler = (call: Call) => Promise<HttpResponseInit>;
/** A refusal of the inaccessible state as a route gives it out. */
export type WhenRefused = (refusal: Refusal, view: AccountView, call: Call) => Promise<Refusal>;
/** For what must answer while settings are missing or wrong. */
export type BareHandler = (call: Omit<Call, 'service' | 'known'>) => Promise<HttpResponseInit>;
