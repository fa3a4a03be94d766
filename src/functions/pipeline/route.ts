/** The facts of an HTTP route: who may call it, in which state of the account, and its input and output. */
import type * as z from 'zod';
import type { AuditedRefusal, BareHandler, RouteHandler, WhenRefused } from './call.ts';
import type { Role } from './caller.ts';

/** A route has a handler, or a bare handler, which answers even when settings are missing. */
export type Route = RouteFacts &
  (
    | { readonly handler: RouteHandler; readonly bare?: undefined }
    | { readonly bare: BareHandler; readonly handler?: undefined }
  );

interface RouteFacts {
  /** The name of the function in Azure. */
  readonly name: string;
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE' | 'OPTIONS';
  /** The path under `/api`. */
  readonly path: string;
  /**
   * `account`: a call on one account or on accounts. `subscription`: calls of Azure Resource Manager beside accounts.
   * `operator`: the operator's own calls. `events`: Event Grid's calls. `customer`: calls with a customer's link, which
   * has no role. `public`: open to all callers, and without effect.
   */
  readonly scope: 'account' | 'subscription' | 'operator' | 'events' | 'customer' | 'public';
  /** The route accepts bearer tokens only: a function key names no client of Azure Resource Manager. */
  readonly bearerOnly?: true;
  readonly role: Role;
  /** The route answers without a token while settings of authentication are wrong, and then names only them. */
  readonly namesSettings?: true;
  /** INV-3: exactly GET, LIST and DELETE of an account. */
  readonly whileInaccessible?: 'allowed';
  /** The route also works while the deletion of the account is pending. A route of `whileInaccessible` always does. */
  readonly whilePendingDeletion?: 'allowed';
  /**
   * `beside`: the handler starts while the gate reads the account. It writes nothing before the gate has passed, and
   * its answer waits for the gate. Absent: the handler starts after the gate.
   */
  readonly gate?: 'beside';
  /** Adds facts to the refusal of an account that is not Enabled. */
  readonly whenRefused?: WhenRefused;
  /** Which refusals of the call Keyward writes to the audit. */
  readonly auditedRefusal?: AuditedRefusal;
  /** The route in the OpenAPI document. Absent: another organisation has published the contract. */
  readonly contract?: Contract;
}

/** Headers of success answers, beside the request id that every answer carries. */
export type AnswerHeader = 'ETag' | 'Location' | 'Cache-Control';

/**
 * The route in the document at /api/openapi.json. Schemas of bodies and answers have a name and an example: `.meta({
 * id: 'Account', examples: [...] })`. Schemas of answers are strict objects: an answer has no other properties.
 */
export interface Contract {
  /** One line, used as a heading. */
  readonly summary: string;
  /** Path parameters. `accountName` is the same on all routes and is not listed. */
  readonly params?: Readonly<Record<string, z.ZodType>>;
  /** Optional parameters are `.optional()`. */
  readonly query?: Readonly<Record<string, z.ZodType>>;
  /** The schema that parses the body. */
  readonly body?: z.ZodType;
  /** `match`: the route honours If-Match. `create`: it honours If-None-Match: * too. */
  readonly conditional?: 'match' | 'create';
  /**
   * Statuses with the schema of their bodies; `undefined`: no body. Error statuses are the same on every route, so only
   * the different ones are named here.
   */
  readonly answers: Readonly<Record<number, z.ZodType | undefined>>;
  /** By success status. */
  readonly headers?: Readonly<Record<number, readonly AnswerHeader[]>>;
}
