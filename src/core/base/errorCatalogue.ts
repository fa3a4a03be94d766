/**
 * Every code that an answer can carry, once: HTTP status, who acts, what it means and what to do. Causes have their own table
 * (causes.ts), and with it the same four. docs/errors.md tells both; a test compares them.
 */
import { actorOf, type Cause, causes, classOf, isCause, meaningOf } from './causes.ts';

export type ErrorActor = 'caller' | 'customer' | 'operator' | 'nobody';

interface ErrorFacts {
  readonly status: number;
  /** Who has to act. `nobody`: it passes by itself. */
  readonly actor: ErrorActor;
  /** One sentence for a person who has never seen the word. */
  readonly meaning: string;
  readonly remedy: string;
}

const catalogue = {
  InvalidRequestContent: {
    ...{ status: 400, actor: 'caller' },
    meaning: 'The body is not what the call takes.',
    remedy: 'Mend the fields that `target` and `details` name.',
  },
  InvalidParameter: {
    ...{ status: 400, actor: 'caller' },
    meaning: 'A name in the path, a query parameter or a header has a value that it cannot have.',
    remedy: 'Mend what `target` names.',
  },
  PropertyNotChangeable: {
    ...{ status: 400, actor: 'caller' },
    meaning: 'The property is set when the account is created, and never changes.',
    remedy: 'Leave `target` out, or send the value that it has.',
  },
  AuthenticationFailed: {
    ...{ status: 401, actor: 'caller' },
    meaning: 'Nobody is named by what came with the call: no token, or none that is valid here.',
    remedy: 'Send a fresh bearer token for the audience of this service, or a function key where those are in use.',
  },
  AuthorizationFailed: {
    ...{ status: 403, actor: 'operator' },
    meaning: 'The caller is known, and lacks an app role.',
    remedy: 'Assign the role that the message names to the caller, or leave the call to somebody who has it.',
  },
  CustomerKeyInaccessible: {
    ...{ status: 403, actor: 'customer' },
    meaning: "The denial of the account's customer key is confirmed: the account can be read, listed and deleted.",
    remedy: 'See the cause in `additionalInfo`. When access is back the account comes back by itself.',
  },
  AccountNotFound: {
    ...{ status: 404, actor: 'caller' },
    meaning: 'There is no account of this name.',
    remedy: 'Check the name, or create the account.',
  },
  NotFound: {
    ...{ status: 404, actor: 'caller' },
    meaning: 'There is nothing of the kind that the call names.',
    remedy: 'Check what `target` names.',
  },
  Conflict: {
    ...{ status: 409, actor: 'caller' },
    meaning: 'The call does not fit what is there now.',
    remedy: 'The message says what is in the way; change that first, or try again later.',
  },
  PreconditionFailed: {
    ...{ status: 412, actor: 'caller' },
    meaning: 'What is stored is not what If-Match or If-None-Match asked for.',
    remedy: 'Read it again, and send its ETag.',
  },
  RequestTooLarge: {
    ...{ status: 413, actor: 'caller' },
    meaning: 'The body is larger than this service reads.',
    remedy: 'Send less than 64 KiB.',
  },
  InternalError: {
    ...{ status: 500, actor: 'operator' },
    meaning: 'Something unforeseen happened, or a setting is missing.',
    remedy: 'Look for the request id in the log: `A call failed` says the rest.',
  },
  CustomerKeyUnreachable: {
    ...{ status: 503, actor: 'nobody' },
    meaning: 'The account key could not be opened just now. The account is Enabled.',
    remedy: 'Try again after `Retry-After`. If it lasts, see the cause in `additionalInfo`.',
  },
  ServiceUnavailable: {
    ...{ status: 503, actor: 'nobody' },
    meaning: 'This service is busy, or the keys that tokens are verified with could not be read.',
    remedy: 'Try again after `Retry-After`.',
  },
} as const satisfies Record<string, ErrorFacts>;

export type ErrorCode = keyof typeof catalogue | Cause;

/** Causes last. */
export const errorCodes: readonly ErrorCode[] = [...(Object.keys(catalogue) as (keyof typeof catalogue)[]), ...causes];

/** The one place where a status is decided. */
export function statusOf(code: ErrorCode): number {
  if (!isCause(code)) return catalogue[code].status;
  if (code === 'OwnerMismatch') return 403;
  if (code === 'StorageUnavailable') return 503;
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

/** Undefined for a cause: its remedy names vault and key (causes.ts). */
export const remedyOfError = (code: ErrorCode): string | undefined =>
  isCause(code) ? undefined : catalogue[code].remedy;
