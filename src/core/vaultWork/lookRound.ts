/** The state that the looks of one round at a vault share, and the audit of the account keys that they used. */

import pLimit from 'p-limit';
import type { ActiveAccount } from '../accounts/account.ts';
import { auditKeyUses, type KeyUse } from '../accounts/keyUse.ts';
import type { Cause } from '../base/causes.ts';
import type { VaultWorkDeps } from './deps.ts';

const keyward = { kind: 'keyward', id: 'look' } as const;

export type UsedAccount = Pick<ActiveAccount, 'name' | 'instanceId' | 'owner' | 'auditKeyUse'>;

/**
 * The state that the looks of one round at a vault share. After a vault did not answer once, the round sends no more
 * calls for its other keys.
 */
export interface LookRound {
  unreachableCause?: Cause;
  /** Audited after the looks, so that no look waits for the audit of an account. */
  readonly used: { readonly record: UsedAccount; readonly uses: readonly KeyUse[] }[];
}

const entriesAtOnce = 10;

/** `keep` runs after each entry, so that the worker holds its vault even when the tables answer slowly. */
export async function auditLooks(
  { used }: LookRound,
  deps: VaultWorkDeps,
  keep?: () => Promise<unknown>,
): Promise<void> {
  const limit = pLimit(entriesAtOnce);
  const audit = ({ record, uses }: (typeof used)[number]) =>
    limit(async () => {
      await auditKeyUses({ record, purpose: 'look', actor: keyward }, uses, deps);
      await keep?.();
    });
  await Promise.all(used.splice(0).map(audit));
}
