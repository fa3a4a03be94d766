/**
 * What a caller is told, named by what to do next. Codes form a closed union (errorCatalogue.ts) and are part of the
 * interface; messages may change.
 *
 *   Refusal      change the request, or the key; the same call will fail again
 *   Unavailable  the same call will work later; `retryAfterSeconds` says when to try
 *   LostRace     another writer was faster (inside the core only): read again and decide again
 */
import type { ErrorCode } from './errorCatalogue.ts';

export { type ErrorCode, errorCodes, statusOf } from './errorCatalogue.ts';

/** One finding among several, in the shape of an ARM error detail. */
export interface ErrorDetail {
  /** `KeyNearExpiry` refuses nothing: it stands beside what does. */
  readonly code: ErrorCode | 'KeyNearExpiry';
  readonly message: string;
  /** The property at fault, as the caller wrote it: `properties.encryption.keyVaultProperties.keyIdentifier`. */
  readonly target?: string;
}

export interface ErrorExtras {
  readonly target?: string;
  readonly details?: readonly ErrorDetail[];
  /** The methods that the path takes, where the call's is none of them. */
  readonly allow?: readonly string[];
  /** For programs: flat facts, never key material nor upstream text. */
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

/** A conditional write found that the row has changed. Never leaves the core: `retryLostRaces` reads again. */
export class LostRace extends Error {
  override readonly name = 'LostRace';
}

/** Runs a read-decide-write again when another writer was faster. Five losses in a row are a storm: try later. */
export async function retryLostRaces<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < 5; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof LostRace)) throw error;
    }
  }
  throw new Unavailable('ServiceUnavailable', 'Too many writers work on the same account. Try again.', 2);
}

/** For logs: our own errors by code, others by class alone, because their messages can hold what somebody else sent. */
export function describeError(error: unknown): string {
  if (error instanceof KeywardError) return `${error.name} ${error.code}`;
  return error instanceof Error ? error.name : 'unknown';
}
