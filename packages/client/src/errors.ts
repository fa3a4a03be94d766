/**
 * What can go wrong, named by what to do next. Every error of this client has a stable `code`; messages may change. A wrong
 * argument is a TypeError or RangeError.
 *
 *   KeywardRefusal      Keyward refuses the account or the caller: the same call fails again until `actor` has acted
 *   KeywardUnavailable  Keyward gave no usable answer in time: the same call works later
 *   DataKeyError        one wrapped data key does not open
 *   MessageError        the bytes are no message that opens under this account and context
 *   KeyStatusError      a key status is forged, replayed or malformed: what came with it is not used
 */

export abstract class KeywardError extends Error {
  abstract readonly code: string;
}

export interface RefusalFacts {
  /** Why, as one word of docs/errors.md: `KeyDisabled`. Absent where the code says it all. */
  readonly cause?: string | undefined;
  /** ISO 8601: since when. */
  readonly since?: string | undefined;
  /** The command to run, or the step to take. */
  readonly remedy?: string | undefined;
  /** Who must act: `customer`, `operator` or `caller`. */
  readonly actor?: string | undefined;
  readonly status: number;
  /** Of the answer, for the operator's log. */
  readonly requestId?: string | undefined;
}

/** Keyward refuses. The cached keys of the account are gone when this is thrown. */
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

/** No usable answer before the deadline. Never a revocation: what is cached stays until its key status ends. */
export class KeywardUnavailable extends KeywardError {
  override readonly name = 'KeywardUnavailable';
  readonly code: string;
  /** Seconds, as Keyward or the last failure suggests. */
  readonly retryAfterSeconds: number;

  constructor(code: string, message: string, retryAfterSeconds: number, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Keyward opened others of the same call, and not this wrapped data key: edited, of another account or context, or destroyed. */
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
