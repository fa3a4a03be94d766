/**
 * The errors of this client, named by what to do next. Each has a stable `code`; messages may change. A wrong argument
 * is a TypeError or RangeError.
 *
 *   KeywardRefusal      Keyward refuses the account or the caller: the same call fails again until `actor` has acted
 *   KeywardUnavailable  Keyward gave no usable answer in time: the same call works later
 *   DataKeyError        one wrapped data key does not open
 *   MessageError        the bytes are not a message that opens under this account and context
 *   KeyStatusError      a key status is forged, replayed or malformed: its keys are not used
 */

export abstract class KeywardError extends Error {
  abstract readonly code: string;
}

export interface RefusalFacts {
  /** The cause, a code of docs/errors.md: `KeyDisabled`. Absent when `code` is specific enough. */
  readonly cause?: string | undefined;
  /** ISO 8601: the start of the cause. */
  readonly since?: string | undefined;
  /** The command to run, or the step to take. */
  readonly remedy?: string | undefined;
  /** Who must act: `customer`, `operator` or `caller`. */
  readonly actor?: string | undefined;
  readonly status: number;
  /** The request id of the answer, for the operator's log. */
  readonly requestId?: string | undefined;
}

/** Keyward refuses. The client has wiped its keys of the account when it throws this. */
export class KeywardRefusal extends KeywardError {
  override readonly name = 'KeywardRefusal';
  readonly code: string;
  override readonly cause: string | undefined;
  readonly since: string | undefined;
  readonly remedy: string | undefined;
  readonly actor: string | undefined;
  readonly status: number;
  readonly requestId: string | undefined;

  constructor(code: string, message: string, { cause, since, remedy, actor, status, requestId }: RefusalFacts) {
    super(message);
    this.code = code;
    this.cause = cause;
    this.since = since;
    this.remedy = remedy;
    this.actor = actor;
    this.status = status;
    this.requestId = requestId;
  }
}

/** No usable answer before the deadline. This is never a revocation: cached keys stay until their key status ends. */
export class KeywardUnavailable extends KeywardError {
  override readonly name = 'KeywardUnavailable';
  readonly code: string;
  /** Seconds to wait, as Keyward or the last failure suggests. */
  readonly retryAfterSeconds: number;

  constructor(code: string, message: string, retryAfterSeconds: number, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/**
 * Keyward opened other keys of the same call, but not this one: it was edited or destroyed, or belongs to another
 * account or context.
 */
export class DataKeyError extends KeywardError {
  override readonly name = 'DataKeyError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export type MessageErrorCode = 'MessageMalformed' | 'MessageNotAuthentic' | 'MessageTruncated';

export class MessageError extends KeywardError {
  override readonly name = 'MessageError';
  readonly code: MessageErrorCode;

  constructor(code: MessageErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export class KeyStatusError extends KeywardError {
  override readonly name = 'KeyStatusError';
  readonly code = 'KeyStatusInvalid';
}
