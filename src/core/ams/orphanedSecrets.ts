/**
 * Deletes secrets that were written for a resource and that no resource names: what an interrupted call has left. A
 * writer names a secret moments after it has written it, so a secret that is more than an hour old has no writer to
 * wait for.
 */

import type { ActiveAccount } from '../accounts/account.ts';
import { findAccount } from '../accounts/readAccount.ts';
import type { StoredSecret } from '../accounts/secretRow.ts';
import { defined } from '../base/defined.ts';
import { describeError } from '../base/errors.ts';
import { removeSecret } from '../secrets/saveSecret.ts';
import { keyward } from '../secrets/secretAudit.ts';
import { staleRowMs } from '../watch/boundAccounts.ts';
import type { AmsDeps } from './deps.ts';
import type { OrphanedSecretsWork } from './ports.ts';
import { namesSecret, resourceAt } from './resource.ts';

const pageSize = 100;

/** One page of an account's secrets; where to continue, or undefined at the end. */
export async function deleteOrphanedSecrets(
  { account, after }: OrphanedSecretsWork,
  deps: AmsDeps,
): Promise<OrphanedSecretsWork | undefined> {
  const page = { limit: pageSize, ...defined({ after }) };
  const { rows, next } = await deps.secrets.page(account, page);
  const record = (await findAccount(account, deps))?.record;
  // A deletion removes them with the rest, and nothing is destroyed while it can be taken back.
  if (record === undefined || record.pendingDeletion !== undefined) return undefined;
  let cleared = 0;
  for (const row of rows) cleared += Number(await removeOrphanedSecret(row, record, deps, () => isOrphaned(row, deps)));
  if (cleared > 0) deps.log.info('Deleted orphaned secrets', { account, cleared });
  return next === undefined ? undefined : { visit: 'unnamed', account, after: next };
}

/** Returns whether it deleted the secret. A failure stops no other secret: the next daily pass finds this one again. */
export async function removeOrphanedSecret(
  secret: StoredSecret,
  record: ActiveAccount,
  deps: AmsDeps,
  isStillOrphaned: () => Promise<boolean> = async () => true,
): Promise<boolean> {
  try {
    return (await isStillOrphaned()) && (await removeSecret(secret, record, keyward, deps));
  } catch (error) {
    const { account, kind, name } = secret.ref;
    deps.log.warn('Left an orphaned secret to the daily pass', {
      account,
      kind,
      secret: name,
      error: describeError(error),
    });
    return false;
  }
}

async function isOrphaned({ ref, value }: StoredSecret, deps: AmsDeps): Promise<boolean> {
  if (value.of === undefined || deps.clock.now() - value.updatedAt < staleRowMs) return false;
  const resource = resourceAt(ref.account, value.of);
  if (resource === undefined) return false;
  const row = await deps.resources.read(resource);
  // A row that cannot be read may name it.
  if (row?.isDamaged) return false;
  return !namesSecret(row?.value, ref);
}
