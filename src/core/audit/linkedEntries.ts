/**
 * The entries that a chain itself proves when the row with its head is damaged or missing: all entries up to the first
 * broken link.
 */
import type { Keks } from '../crypto/keks.ts';
import { type AuditEntry, type ChainHead, emptyChain } from './auditEntry.ts';
import { linkOf } from './chainCheck.ts';
import type { ChainPage, ChainPageRequest } from './ports.ts';

const pageSize = 1000;

export interface ReadableChain {
  readonly id: string;
  page(request: ChainPageRequest): Promise<ChainPage>;
}

/** From the first entry on, in order. It ends before the first row that is not the next link. @throws Unavailable */
export async function* linkedEntries({ id, page }: ReadableChain, audit: Keks): AsyncGenerator<AuditEntry> {
  let last: ChainHead = emptyChain;
  for (let request: ChainPageRequest | undefined = { limit: pageSize }; request !== undefined; ) {
    const { rows, next }: ChainPage = await page(request);
    for (const row of rows) {
      const link = linkOf(id, last, row, (generation) => audit.kek(generation));
      if (typeof link === 'string') return;
      last = link;
      yield row.entry as AuditEntry;
    }
    request = next === undefined ? undefined : { limit: pageSize, after: next };
  }
}
