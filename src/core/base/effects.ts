/** Effects that come in as arguments: time and randomness. */
import type { Bytes } from './bytes.ts';
import type { EpochMs } from './time.ts';

export interface Clock {
  now(): EpochMs;
  /** Milliseconds from any fixed moment. It never goes back, even when the wall clock is set back. */
  monotonic(): number;
}

export interface Random {
  bytes(length: number): Bytes;
  uuid(): string;
}
