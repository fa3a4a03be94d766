/**
 * A checkpoint: the signed heads of verified chains at one time. A holder of a checkpoint can prove later that a chain
 * was cut or set back to an older state. Each checkpoint of a run has the hash of the previous one. Pure.
 */
import { createHash } from 'node:crypto';
import type { ChainHead } from '../audit/auditEntry.ts';
import { type EpochMs, iso } from '../base/time.ts';

/** The `typ` of the JWS header, so that no other signed text is accepted as a checkpoint. */
export const checkpointType = 'keyward-checkpoint';

export interface ChainHeadOf extends ChainHead {
  readonly chain: string;
}

export interface CheckpointClaims {
  /** Seconds since 1970. */
  readonly iat: number;
  /** ISO 8601: when the verification of all chains started. */
  readonly run: string;
  /** From 1. */
  readonly page: number;
  /** `sha256` of the previous checkpoint, base64url. Empty in the first of a run. */
  readonly previous: string;
  readonly heads: readonly ChainHeadOf[];
}

export const checkpointClaims = (
  { startedAt, pages, lastPage }: { readonly startedAt: EpochMs; readonly pages: number; readonly lastPage: string },
  heads: readonly ChainHeadOf[],
  now: EpochMs,
): CheckpointClaims => ({
  iat: Math.floor(now / 1000),
  run: iso(startedAt),
  page: pages + 1,
  previous: lastPage,
  heads,
});

export const hashOfCheckpoint = (jws: string): string => createHash('sha256').update(jws, 'ascii').digest('base64url');
