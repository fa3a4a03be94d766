/**
 * Allows one worker per vault, and one for the rings: a row that is replaced under its ETag. The Table service says how
 * old the row is, so a host with a wrong clock neither blocks a vault nor ends the work of another host.
 */

import type { Clock } from './effects.ts';
import type { Policy } from './policy.ts';
import type { EpochMs } from './time.ts';

/** Identifies the worker of a vault: the ETag of its row. */
export type WorkTicket = string & { readonly ticket: unique symbol };

export interface WorkLock {
  /** Makes the caller the only worker for so long; undefined: another worker holds the lock. */
  beginWork(vaultId: string, forMs: number): Promise<WorkTicket | undefined>;
  /** Begins the time again for a slow worker; undefined: its time was over and another worker has begun. */
  renewWork(vaultId: string, ticket: WorkTicket, forMs: number): Promise<WorkTicket | undefined>;
  /** Has no effect when the ticket's time is over and another worker has begun. */
  endWork(vaultId: string, ticket: WorkTicket): Promise<void>;
  /**
   * Whether a message that meets a worker at the vault may come again after `delayMs`. False: another message does, so
   * one waits, however many come.
   */
  mayWait(vaultId: string, delayMs: number): Promise<boolean>;
}

/** Another worker has the lock. */
export const busy = Symbol('busy');

/** Does work that ends within `forMs`, as the only worker of the lock. `busy`: the work was not done. */
export async function withLock<T>(
  lock: string,
  forMs: number,
  work: () => Promise<T>,
  { vaults }: { readonly vaults: Pick<WorkLock, 'beginWork' | 'endWork'> },
): Promise<T | typeof busy> {
  const ticket = await vaults.beginWork(lock, forMs);
  if (ticket === undefined) return busy;
  try {
    return await work();
  } finally {
    await vaults.endWork(lock, ticket);
  }
}

/** As `withLock`, for as long as the policy gives a worker. */
export const withWorkerLock = <T>(
  lock: string,
  work: () => Promise<T>,
  deps: Parameters<typeof withLock>[3] & { readonly policy: Pick<Policy, 'workerLeaseSeconds'> },
): Promise<T | typeof busy> => withLock(lock, deps.policy.workerLeaseSeconds * 1000, work, deps);

/** A lock as its worker holds it. */
export interface HeldLock {
  /** Undefined: its time was over, and another worker has it. */
  ticket: WorkTicket | undefined;
  renewedAt: EpochMs;
}

/** Begins the lock's time again when a third of it is over. Returns false when another worker has the lock. */
export async function renewLock(
  held: HeldLock,
  vaultId: string,
  leaseMs: number,
  { vaults, clock }: { readonly vaults: Pick<WorkLock, 'renewWork'>; readonly clock: Clock },
): Promise<boolean> {
  const { ticket, renewedAt } = held;
  const now = clock.now();
  if (ticket !== undefined && now - renewedAt > leaseMs / 3) {
    held.renewedAt = now;
    held.ticket = await vaults.renewWork(vaultId, ticket, leaseMs);
  }
  return held.ticket !== undefined;
}
