/**
 * The errors that callers receive, named by what to do next. Their codes form a closed union (errorCatalogue.ts) and
 * are part of the interface; messages may change.
 *
 *   Refusal      change the request, or the key; the same call will fail again
 *   Unavailable  the same call will work later; `retryAfterSeconds` says when to retry
 *   LostRace     another writer was faster (inside the core only): read again and decide again
 */
import type { ErrorCode } from './errorCatalogue.ts';

export { type ErrorCode, errorCodes, statusOf } from './errorCatalogue.ts';

/** One of several findings, in the shape of an ARM error detail. */
export interface ErrorDetail {
  /** `KeyNearExpiry` is a warning: it refuses nothing and appears beside the findings that do. */
  readonly code: ErrorCode | 'KeyNearExpiry';
  readonly message: string;
  /** The property that is wrong, as the caller wrote it: `properties.encryption.keyVaultProperties.keyIdentifier`. */
  readonly target?: string;
}

export interface ErrorExtras {
  readonly target?: string;
  readonly details?: readonly ErrorDetail[];
  /** The methods that the path accepts, when it does not accept the call's method. */
  readonly allow?: readonly string[];
  /** Flat facts for programs: never key material or upstream text. */
  readonly info?: Readonly<Record<string, string | number>>;
}

export abstract class KeywardError extends Error {
  readonly code: ErrorCode;
  readonly extras: ErrorExtras;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message);
    this.code = code;
    this.extras = extras;
  }
}

export class Refusal extends KeywardError {
  override readonly name = 'Refusal';
}

export class Unavailable extends KeywardError {
  override readonly name = 'Unavailable';
  readonly retryAfterSeconds: number;

  constructor(code: ErrorCode, message: string, retryAfterSeconds: number, extras: ErrorExtras = {}) {
    super(code, message, extras);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A conditional write found that the row has changed. It never leaves the core: `retryLostRaces` reads again. */
export class LostRace extends Error {
  override readonly name = 'LostRace';
}

/**
 * Repeats read, decide and write when another writer was faster. After five lost races in a row the caller must retry
 * later.
 */
export async function retryLostRaces<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < 5; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof LostRace)) throw error;
    }
  }
  throw new Unavailable('ServiceUnavailable', 'Too many writers change the same account. Retry the call.', 2);
}

/**
 * The error for logs: Keyward's own errors by code, others by class alone, because their messages can hold text of a
 * caller or a vault.
 */
export function describeError(error: unknown): string {
  if (error instanceof KeywardError) return `${error.name} ${error.code}`;
  return error instanceof Error ? error.name : 'unknown';
}
