/**
 * Every code that an answer can have, once: HTTP status, actor, meaning and remedy. Causes have the same four facts in
 * a table of their own (causes.ts). docs/errors.md lists both tables; a test compares them with it.
 */
import { actorOf, type Cause, causes, classOf, isCause, meaningOf } from './causes.ts';

export type ErrorActor = 'caller' | 'customer' | 'operator' | 'none';

interface ErrorFacts {
  readonly status: number;
  /** Who must act. `none`: no action is needed. */
  readonly actor: ErrorActor;
  /** One sentence for a reader who has never seen the code. */
  readonly meaning: string;
  readonly remedy: string;
}

const catalogue = {
  InvalidRequestContent: {
    status: 400,
    actor: 'caller',
    meaning: 'The body is not valid for this call.',
    remedy: 'Correct the fields that `target` and `details` name.',
  },
  InvalidParameter: {
    status: 400,
    actor: 'caller',
    meaning: 'A name in the path, a query parameter or a header has an invalid value.',
    remedy: 'Correct the value that `target` names.',
  },
  UnsupportedApiVersionValue: {
    status: 400,
    actor: 'caller',
    meaning: 'This service does not have the requested version of its API.',
    remedy: 'Send one of the versions that the message lists in the query parameter `api-version`.',
  },
  DataKeyNotAuthentic: {
    status: 400,
    actor: 'caller',
    meaning: 'A wrapped data key does not open: edited, of another account, or under another encryption context.',
    remedy: 'Send it as it was received, to its own account, with the encryption context that it was wrapped with.',
  },
  DataKeyGenerationDestroyed: {
    status: 400,
    actor: 'operator',
    meaning: 'The operator has destroyed the generation that the data key is wrapped under.',
    remedy: 'No key opens it any more. Find another copy of the data under a newer generation.',
  },
  PropertyNotChangeable: {
    status: 400,
    actor: 'caller',
    meaning: 'The property is set when the account is created, and never changes.',
    remedy: 'Leave `target` out, or send its present value.',
  },
  UnsupportedMediaType: {
    status: 415,
    actor: 'caller',
    meaning: 'The format of the body is not supported.',
    remedy: 'Send `Content-Type: application/json`, in UTF-8 and without `Content-Encoding`.',
  },
  MethodNotAllowed: {
    status: 405,
    actor: 'caller',
    meaning: 'The path exists, but does not accept this method.',
    remedy: 'Use a method of the header `Allow`.',
  },
  AuthenticationFailed: {
    status: 401,
    actor: 'caller',
    meaning: 'The request has no access token, or the token is not valid for this service.',
    remedy: 'Send a new bearer token for the audience of this service, or a function key when the service uses those.',
  },
  AuthorizationFailed: {
    status: 403,
    actor: 'operator',
    meaning: 'The caller has no app role for this call.',
    remedy: 'Assign the role that the message names to the caller.',
  },
  CustomerKeyInaccessible: {
    status: 403,
    actor: 'customer',
    meaning: "The account's customer key is confirmed as denied. Only GET, LIST and DELETE of the account work.",
    remedy: 'See the cause in `additionalInfo`. Keyward restores the account automatically when it has access again.',
  },
  AccountNotFound: {
    status: 404,
    actor: 'caller',
    meaning: 'There is no account of this name.',
    remedy: 'Check the name, or create the account.',
  },
  NotFound: {
    status: 404,
    actor: 'caller',
    meaning: 'The call names an item that does not exist.',
    remedy: 'Check the name in `target`.',
  },
  InvalidResourceType: {
    status: 404,
    actor: 'caller',
    meaning: 'An account has no resources or calls of this name in this API.',
    remedy: 'Use one of the calls that the message lists.',
  },
  AccountPendingDeletion: {
    status: 409,
    actor: 'operator',
    meaning: 'The account was deleted and waits for its purge. Only GET, LIST, DELETE and recover of the account work.',
    remedy:
      'Recover it with POST /api/accounts/{accountName}/recover before `scheduledPurgeAt`, or choose another name.',
  },
  Conflict: {
    status: 409,
    actor: 'caller',
    meaning: 'The call conflicts with the present state.',
    remedy: 'The message names the conflict. Resolve it first, or try again later.',
  },
  PreconditionFailed: {
    status: 412,
    actor: 'caller',
    meaning: 'The stored ETag does not match If-Match or If-None-Match.',
    remedy: 'Read it again, and send its ETag.',
  },
  RequestTooLarge: {
    status: 413,
    actor: 'caller',
    meaning: 'The body is larger than the limit.',
    remedy: 'Send less than 64 KiB.',
  },
  TooManyRequests: {
    status: 429,
    actor: 'caller',
    meaning: 'The caller has made too many calls that reveal values.',
    remedy: 'Retry after `Retry-After`. The operator can change KEYWARD_REVEALS_PER_MINUTE.',
  },
  InternalError: {
    status: 500,
    actor: 'operator',
    meaning: 'An unexpected error occurred, or a setting is missing.',
    remedy: 'Find the request id in the log: the line `A call failed` has the details.',
  },
  StorageRejected: {
    status: 500,
    actor: 'operator',
    meaning: 'The tables refused a request of Keyward as invalid or too large. That is a fault of Keyward.',
    remedy: 'Find the line `The tables refused a request` in the log, and open an issue with its `table` and `code`.',
  },
  StateDamaged: {
    status: 500,
    actor: 'operator',
    meaning: 'A stored row is not as Keyward wrote it. Keyward does not use it, and changes nothing.',
    remedy: 'Restore the row that the message names from a back-up, or remove it. Find out who can write the tables.',
  },
  CustomerKeyUnreachable: {
    status: 503,
    actor: 'none',
    meaning: 'Keyward cannot use the account key now. The account is Enabled.',
    remedy: 'Retry after `Retry-After`. If it lasts, see the cause in `additionalInfo`.',
  },
  ServiceUnavailable: {
    status: 503,
    actor: 'none',
    meaning: 'The service is busy, or it cannot read the keys that verify tokens.',
    remedy: 'Retry after `Retry-After`.',
  },
} as const satisfies Record<string, ErrorFacts>;

export type ErrorCode = keyof typeof catalogue | Cause;

/** The causes come last. */
export const errorCodes: readonly ErrorCode[] = [...(Object.keys(catalogue) as (keyof typeof catalogue)[]), ...causes];

/** The status of a code. No other function chooses a status. */
export function statusOf(code: ErrorCode): number {
  if (!isCause(code)) return catalogue[code].status;
  if (code === 'OwnerMismatch') return 403;
  if (code === 'StorageUnavailable' || code === 'IdentityReplaced') return 503;
  switch (classOf(code)) {
    case 'denied':
    case 'networkPolicy':
    case 'misconfigured':
    case 'unusableKey':
      return 400;
    case 'unreachable':
      return 503;
    case 'ours':
      return 500;
  }
}

export const actorOfError = (code: ErrorCode): ErrorActor => (isCause(code) ? actorOf(code) : catalogue[code].actor);

export const meaningOfError = (code: ErrorCode): string => (isCause(code) ? meaningOf(code) : catalogue[code].meaning);

/** Undefined for a cause, because its remedy names vault and key (causes.ts). */
export const remedyOfError = (code: ErrorCode): string | undefined =>
  isCause(code) ? undefined : catalogue[code].remedy;
