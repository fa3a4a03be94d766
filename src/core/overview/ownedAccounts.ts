/** The accounts of an owner under customer keys, in the order of the index, each with the binding of its key. */
import type { OwnedAccount } from '../vaultWork/ports.ts';
import type { OverviewDeps } from './deps.ts';
import { type IndexedKey, type IndexPosition, positionOf } from './indexRows.ts';
import type { IndexPages } from './ports.ts';

const rowsPerCall = 1000;

export async function* ownedAccounts(
  owner: string,
  { overview, overviewIndex }: Pick<OverviewDeps, 'overview'> & { readonly overviewIndex: IndexPages },
): AsyncGenerator<OwnedAccount> {
  // Waits until the index has the latest changes of this process.
  await overview.settled();
  let key: IndexedKey | undefined;
  for (let at: IndexPosition = { owner }; ; ) {
    const { rows, isLast } = await overviewIndex.ofOwner(at, rowsPerCall);
    for (const row of rows) {
      if (row.kind === 'key') key = row.key;
      else if (row.account.key !== undefined) {
        const { binding } = key?.watch ?? {};
        const isUnder = binding?.id === row.account.key.bindingId;
        yield { name: row.account.name, ...(isUnder && binding !== undefined ? { binding } : {}) };
      }
    }
    const last = rows.at(-1);
    if (isLast || last === undefined) return;
    at = positionOf(last);
  }
}
