/** The accounts of a binding, page by page: hints of who to visit. */

import { defined } from '../base/defined.ts';
import type { WatchDeps } from './deps.ts';
import type { AccountPageRequest, BoundPage } from './ports.ts';

export type BoundRow = BoundPage['rows'][number];

const pageSize = 100;

/** A row is put down before its record is written: one that misleads is left alone until no writer can be that slow. */
export const staleRowMs = 3_600_000;

export async function* boundAccounts(
  bindingId: string,
  wanted: Pick<AccountPageRequest, 'version' | 'onlyFollowing'>,
  service: Pick<WatchDeps, 'bindings'>,
): AsyncGenerator<BoundRow> {
  let from: string | undefined;
  do {
    const page = await service.bindings.accounts(bindingId, {
      ...wanted,
      limit: pageSize,
      ...defined({ from }),
    });
    yield* page.rows;
    from = page.next;
  } while (from !== undefined);
}

export async function isAnyBound(
  bindingId: string,
  version: string,
  service: Pick<WatchDeps, 'bindings'>,
): Promise<boolean> {
  return (await service.bindings.accounts(bindingId, { version, limit: 1 })).rows.length > 0;
}
