/**
 * The facts that a chain shows when the row with its head is damaged or missing. A damaged entry takes its own position
 * only, so the chain continues after it. Verification names the entry.
 */
import type { Keks } from '../crypto/keks.ts';
import type { AuditEntry, ChainHead } from './auditEntry.ts';
import { isGenuine } from './chainCheck.ts';
import type { ChainPage, ChainPageRequest } from './ports.ts';

const pageSize = 1000;

interface ReadableChain {
  readonly id: string;
  page(request: ChainPageRequest): Promise<ChainPage>;
}

export interface PositionedEntry {
  readonly position: number;
  /** Undefined: Keyward did not write the stored row. */
  readonly entry: AuditEntry | undefined;
}

/**
 * In order. Rows whose keys are no sequence numbers are left out, and so are foreign rows after a gap: a writer of the
 * table can put them at any position, and the chain would continue there. @throws Unavailable
 */
export async function* positionedEntries({ id, page }: ReadableChain, audit: Keks): AsyncGenerator<PositionedEntry> {
  let last = 0;
  for (let request: ChainPageRequest | undefined = { limit: pageSize }; request !== undefined; ) {
    const { rows, next }: ChainPage = await page(request);
    for (const { position, entry } of rows) {
      const ours = entry as AuditEntry;
      const isOurs =
        isGenuine(ours, (generation) => audit.kek(generation)) && ours.chain === id && ours.sequence === position;
      if (position === 0 || (!isOurs && position !== last + 1)) continue;
      last = position;
      yield { position, entry: isOurs ? ours : undefined };
    }
    request = next === undefined ? undefined : { limit: pageSize, after: next };
  }
}

/** The head after this row. The hash of a damaged entry is unknown, and the next entry follows none. */
export const headAfter = ({ position, entry }: PositionedEntry): ChainHead => ({
  sequence: position,
  hash: entry?.hash ?? '',
});
