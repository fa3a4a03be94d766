/**
 * Allows one worker per vault, and one for the rings: a row that is replaced under its ETag. The Table service says how old the row is,
 * so a host with a wrong clock neither blocks a vault nor ends the work of another host.
 */

/** Identifies the worker of a vault: the ETag of its row. */
export type WorkTicket = string & { readonly ticket: unique symbol };

export interface WorkLock {
  /** Makes the caller the only worker for so long; undefined: another worker holds the lock. */
  beginWork(vaultId: string, forMs: number): Promise<WorkTicket | undefined>;
  /** Begins the time again for a slow worker; undefined: its time was over and another worker has begun. */
  keepWork(vaultId: string, ticket: WorkTicket, forMs: number): Promise<WorkTicket | undefined>;
  /** Has no effect when the ticket's time is over and another worker has begun. */
  endWork(vaultId: string, ticket: WorkTicket): Promise<void>;
  /**
   * Whether a message that meets a worker at the vault may come again after `delayMs`. False: another message does, so one waits,
   * however many come.
   */
  mayWait(vaultId: string, delayMs: number): Promise<boolean>;
}
