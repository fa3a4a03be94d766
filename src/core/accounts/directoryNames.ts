/**
 * Names in the directory. A crash in a delete, or in a creation, leaves a name without an account: LIST skips it, and
 * the next DELETE or the daily pass removes it. A name that is missing hides its account from LIST: the daily pass,
 * which also reads the accounts' own table, writes it again.
 */
import pLimit from 'p-limit';
import { isSameArmPath } from '../base/armPath.ts';
import { unlessDamaged } from '../base/damagedRow.ts';
import { fold } from '../base/names.ts';
import { staleRowMs } from '../watch/boundAccounts.ts';
import type { ActiveAccount } from './account.ts';
import type { AccountsDeps } from './deps.ts';
import type { DirectoryRow } from './ports.ts';

type NameDeps = Pick<AccountsDeps, 'accounts' | 'directory'>;

/** The name without an account among all accounts. The row of its subscription stays for the daily pass. */
export async function removeStaleName(name: string, deps: NameDeps): Promise<void> {
  const row = await deps.directory.find(name);
  if (row !== undefined && (await isStale({ ...row, name }, deps))) await deps.directory.remove(name, row.etag);
}

const rowsPerPage = 1000;
const rowsAtOnce = 16;

/** One page over all rows of the directory; where to continue, or undefined at the end. */
export async function removeStaleNames(after: string | undefined, deps: NameDeps): Promise<string | undefined> {
  const { rows, next } = await deps.directory.rows(rowsPerPage, after);
  const limit = pLimit(rowsAtOnce);
  const results = await Promise.allSettled(rows.map((row) => limit(() => removeUnlessNamed(row, deps))));
  // All have ended: nothing runs on when the message fails.
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return next;
}

async function removeUnlessNamed(row: DirectoryRow, deps: NameDeps): Promise<void> {
  const stored = await unlessDamaged(deps.accounts.read(row.name));
  if (stored === 'damaged' || stored?.value.lifecycle === 'deleting') return;
  const isThere = stored !== undefined && (row.place === undefined || isSameArmPath(stored.value.place, row.place));
  if (!isThere && (await isStale(row, deps))) await deps.directory.remove(row.name, row.etag, row.place);
}

/**
 * A creation writes the name before the record, and after an earlier account of the name has its tombstone. So a row
 * from before the tombstone belongs to the deleted account. Otherwise the row stays until no writer can be this slow.
 */
async function isStale(
  { name, writtenAt, ageMs }: Pick<DirectoryRow, 'name' | 'writtenAt' | 'ageMs'>,
  { accounts }: NameDeps,
): Promise<boolean> {
  if (ageMs > staleRowMs) return true;
  const deletedAt = await accounts.lastDeletedAt(name);
  return deletedAt !== undefined && writtenAt < deletedAt;
}

/**
 * Writes the names of an account that are missing. `isListed`: among all accounts, as far as the caller knows. Returns
 * whether one was lost.
 */
export async function restoreNames(
  { name, place }: Pick<ActiveAccount, 'name' | 'place'>,
  isListed: boolean,
  { directory }: Pick<AccountsDeps, 'directory'>,
): Promise<boolean> {
  const isPlaced = place === undefined || (await directory.find(fold(name), place)) !== undefined;
  let isLost = false;
  for (const list of [...(isListed ? [] : [undefined]), ...(isPlaced ? [] : [place])]) {
    await directory.put(fold(name), list);
    // A name of version 0.1 was not lost.
    if (!(await directory.removeFormer(fold(name), list))) isLost = true;
  }
  return isLost;
}
