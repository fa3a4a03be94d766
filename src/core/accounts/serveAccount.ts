/**
 * The one way in which a call gets at what an account's key protects, secrets and data keys alike: the account as the call's gate reads
 * it, the refusal of the inaccessible state, then the lease. A record from the cache can be a few seconds old, so whatever fails with
 * it is tried again with a fresh one before the caller sees a failure.
 */
import type { Service } from '../service.ts';
import type { AccountView } from './account.ts';
import type { KnownAccount } from './accountCache.ts';
import { refuseWhileInaccessible } from './gate.ts';
import { accountNotFound } from './readAccount.ts';

export interface Attempts<T> {
  /** What is called a second time when it fails, or when its result is not whole. */
  attempt(served: Promise<AccountView>): Promise<T>;
  isWhole(result: T): boolean;
  /** Wipes a result that is not used. */
  discard(result: T): void;
}

/** @throws Refusal AccountNotFound | CustomerKeyInaccessible, and what `attempt` throws */
export async function serveAccount<T>(
  account: string,
  known: Promise<KnownAccount> | undefined,
  { attempt, isWhole, discard }: Attempts<T>,
  service: Pick<Service, 'memory'>,
): Promise<T> {
  const first = known ?? service.memory.view(account);
  try {
    const result = await attempt(served(account, first));
    if (isWhole(result)) return result;
    discard(result);
  } catch (error) {
    if (!(await first).isRemembered) throw error;
  }
  service.memory.forget(account);
  return attempt(served(account, service.memory.view(account)));
}

async function served(account: string, known: Promise<KnownAccount>): Promise<AccountView> {
  const { view } = await known;
  if (view === undefined) throw accountNotFound(account);
  refuseWhileInaccessible(view);
  return view;
}
