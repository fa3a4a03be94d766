/**
 * At most one worker per vault, and one for the rings: a row that is replaced under its ETag. How old the row is, the Table service
 * says, so a host with a wrong clock neither blocks a vault nor ends the work of another host.
 */

/** Identifies the worker of a vault: the ETag of its row. */
export type WorkTicket = string & { readonly ticket: unique symbol };

export interface WorkLock {
  /** Makes the caller the only worker for so long; undefined: another worker holds the lock. */
  beginWork(vaultId: string, forMs: number): Promise<WorkTicket | undefined>;
  /** Begins the time again for a slow worker; undefined: its time had run out and another worker has begun. */
  keepWork(vaultId: string, ticket: WorkTicket, forMs: number): Promise<WorkTicket | undefined>;
  /** Harmless when the ticket has run out and another worker has begun. */
  endWork(vaultId: string, ticket: WorkTicket): Promise<void>;
  /**
   * For a message that finds a worker at the vault: whether it is to come again after `delayMs`. False: another message does, so
   * however many messages come, one waits.
   */
  mayWait(vaultId: string, delayMs: number): Promise<boolean>;
}
