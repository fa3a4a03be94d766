/** The accounts of a binding, page by page. The rows are hints of which accounts to process. */

import { defined } from '../base/defined.ts';
import type { WatchDeps } from './deps.ts';
import type { AccountPageRequest, BoundPage } from './ports.ts';

export type BoundRow = BoundPage['rows'][number];

const pageSize = 100;

/** A row is stored before its record. A surplus row stays until no writer can be this slow. */
export const staleRowMs = 3_600_000;

export async function* boundAccounts(
  bindingId: string,
  wanted: Pick<AccountPageRequest, 'version' | 'onlyFollowing' | 'from'>,
  deps: Pick<WatchDeps, 'bindings'>,
): AsyncGenerator<BoundRow> {
  let { from } = wanted;
  do {
    const page = await deps.bindings.accounts(bindingId, {
      ...wanted,
      limit: pageSize,
      ...defined({ from }),
    });
    yield* page.rows;
    from = page.next;
  } while (from !== undefined);
}

/** Each version that a row names, once: one query per version, for any number of accounts. */
export async function* boundVersions(
  bindingId: string,
  { bindings }: Pick<WatchDeps, 'bindings'>,
): AsyncGenerator<string> {
  for (let from: string | undefined; ; ) {
    const { rows, next } = await bindings.accounts(bindingId, { limit: 1, ...defined({ from }) });
    const version = rows[0]?.value.version;
    if (version !== undefined) yield version;
    if (next === undefined) return;
    // `;` is the character after the `:` that follows the version.
    from = version === undefined ? next : `bound:${version};`;
  }
}

export async function isAnyBound(
  bindingId: string,
  of: { readonly version: string; readonly onlyFollowing?: true },
  deps: Pick<WatchDeps, 'bindings'>,
): Promise<boolean> {
  return (await deps.bindings.accounts(bindingId, { ...of, limit: 1 })).rows.length > 0;
}
