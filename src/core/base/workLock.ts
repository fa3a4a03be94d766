/** Allows one worker per vault, and one for the rings: a row with an end time, replaced under its ETag. */
import type { EpochMs } from './time.ts';

/** Identifies the worker of a vault: the ETag of its row. */
export type WorkTicket = string & { readonly ticket: unique symbol };

export interface WorkLock {
  /** Makes the caller the only worker until the given time; undefined: another worker holds the lock. */
  beginWork(vaultId: string, now: EpochMs, until: EpochMs): Promise<WorkTicket | undefined>;
  /** Extends the time of a slow worker; undefined: its time was over and another worker has begun. */
  keepWork(vaultId: string, ticket: WorkTicket, until: EpochMs): Promise<WorkTicket | undefined>;
  /** Has no effect when the ticket's time is over and another worker has begun. */
  endWork(vaultId: string, ticket: WorkTicket): Promise<void>;
}
