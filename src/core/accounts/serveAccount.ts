/**
 * The one way in which a call gets at what an account's key protects, secrets and data keys alike: the account as the
 * call's gate reads it, the refusal of the inaccessible state, then the lease. A record from the cache can be a few
 * seconds old, so every failure with it is retried with a fresh one before the caller receives an error.
 */
import type { AccountView } from './account.ts';
import type { AccountsDeps } from './deps.ts';
import { refuseUnlessEnabled } from './gate.ts';
import type { KnownAccount } from './processState.ts';
import { accountNotFound } from './readAccount.ts';

export interface Attempts<T> {
  /** A call that is repeated when it fails, or when its result is not complete. */
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
  { accountCache }: Pick<AccountsDeps, 'accountCache'>,
): Promise<T> {
  const first = known ?? accountCache.view(account);
  try {
    const result = await attempt(requireServable(account, first));
    if (isWhole(result)) return result;
    discard(result);
  } catch (error) {
    if (!(await first).isRemembered) throw error;
  }
  accountCache.forget(account);
  return attempt(requireServable(account, accountCache.view(account)));
}

async function requireServable(account: string, known: Promise<KnownAccount>): Promise<AccountView> {
  const { view } = await known;
  if (view === undefined) throw accountNotFound(account);
  refuseUnlessEnabled(view);
  return view;
}
