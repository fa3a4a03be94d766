/** What is said of an HTTP route, once: who may call it, when, and what goes in and comes out. */
import type * as z from 'zod';
import type { AuditedRefusal } from './auditedRefusals.ts';
import type { BareHandler, RouteHandler, WhenRefused } from './call.ts';

/** App roles of the bearer tokens. One does not include another. */
export const roles = [
  'Accounts.Read',
  'Accounts.Write',
  /** Apart from writing: it destroys the account key, and with it everything that the key protects. */
  'Accounts.Delete',
  'Secrets.Read',
  'Secrets.Write',
  'Secrets.Reveal',
  'Secrets.Resolve',
  'DataKeys.Use',
  'Keys.Operate',
  /** Releasing a customer's control: an account leaves its customer's vault, or a claim is released. */
  'Keys.Release',
  'Audit.Read',
  /** Event Grid's: the name is the one that Microsoft's scripts for secure webhooks give the role. */
  'AzureEventGridSecureWebhookSubscriber',
] as const;

export type Role = (typeof roles)[number];

/** A route has a handler, or a bare one, which answers whatever the settings are. */
export type Route = RouteFacts &
  (
    | { readonly handler: RouteHandler; readonly bare?: undefined }
    | { readonly bare: BareHandler; readonly handler?: undefined }
  );

interface RouteFacts {
  /** The function's name in Azure. */
  readonly name: string;
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE' | 'OPTIONS';
  /** Under `/api`. */
  readonly path: string;
  /**
   * `account`: a call on one account, or on accounts; `subscription`: what Azure Resource Manager has beside them; `operator`: the
   * operator's own; `events`: Event Grid's; `public`: open to all, and so without effect.
   */
  readonly scope: 'account' | 'subscription' | 'operator' | 'events' | 'public';
  /** Only a bearer token will do: a function key names nobody whom Azure Resource Manager's clients could be. */
  readonly bearerOnly?: true;
  readonly role: Role;
  /** INV-3: exactly account GET, LIST and DELETE. */
  readonly whileInaccessible?: 'allowed';
  /**
   * `beside`: the handler begins while the gate is reading the account, and does nothing but read until it has the account from
   * the gate; its answer waits for the gate. Otherwise the gate comes first.
   */
  readonly gate?: 'beside';
  /** What the refusal of the inaccessible state carries beside what it says. */
  readonly whenRefused?: WhenRefused;
  /** Which refusals of the call stand in the audit. */
  readonly auditedRefusal?: AuditedRefusal;
  /** What the OpenAPI document says of the route. Absent: the contract is somebody else's published one. */
  readonly contract?: Contract;
}

/** Headers of success answers, beside the request id that every answer carries. */
export type AnswerHeader = 'ETag' | 'Location' | 'Cache-Control';

/**
 * What the document at /api/openapi.json says of a route. Schemas of bodies and answers have a name and an example:
 * `.meta({ id: 'Account', examples: [...] })`. Those of answers are strict objects: what is not in them is not answered.
 */
export interface Contract {
  /** One line, as a heading. */
  readonly summary: string;
  /** Path parameters; `accountName` is the same everywhere, and known. */
  readonly params?: Readonly<Record<string, z.ZodType>>;
  /** Those that may be absent are `.optional()`. */
  readonly query?: Readonly<Record<string, z.ZodType>>;
  /** The schema that parses the body. */
  readonly body?: z.ZodType;
  /** If-Match is honoured; `create`: If-None-Match: * too. */
  readonly conditional?: 'match' | 'create';
  /** Statuses with the schema of their bodies; `undefined`: no body. Errors are alike on every route, but for one that is named here. */
  readonly answers: Readonly<Record<number, z.ZodType | undefined>>;
  /** By success status. */
  readonly headers?: Readonly<Record<number, readonly AnswerHeader[]>>;
}
