/**
 * Replaces the personal facts of stored entries by their pseudonyms, in the time line and then in the chain. A process
 * that dies between the two leaves the entry in the chain as it was, so the next call does both again. The time line
 * loses its copy of an entry that is left: the row of that entry is then the only one that names the person.
 */
import { type AuditEntry, erasedEntry, shownEntry } from '../audit/auditEntry.ts';
import { isGenuine } from '../audit/chainCheck.ts';
import { hasPersonalFacts } from '../audit/personalFacts.ts';
import type { ChainPage, ChainPageRequest, EntryLeft } from '../audit/ports.ts';
import type { Keks } from '../crypto/keks.ts';
import type { EntryPosition, TimelineEntry } from '../overview/ports.ts';
import type { ErasureDeps } from './ports.ts';

const rowsPerPage = 1000;

export interface ErasableChain {
  readonly id: string;
  page(request: ChainPageRequest): Promise<ChainPage>;
  /** Which entries to erase. */
  isWanted(entry: AuditEntry): boolean;
  /** What the time line says beside each entry. */
  readonly about: Pick<TimelineEntry, 'subject' | 'owner'>;
  replace(entries: readonly AuditEntry[]): Promise<void>;
}

export interface ErasedEntries {
  readonly erased: number;
  readonly left: readonly EntryLeft[];
  /** Where to continue. Absent: the chain is complete. */
  readonly next?: string;
}

/** @throws Unavailable */
export async function eraseEntries(
  chain: ErasableChain,
  after: string | undefined,
  isLate: () => boolean,
  audit: Keks,
  { timelineIndex }: Pick<ErasureDeps, 'timelineIndex'>,
): Promise<ErasedEntries> {
  const left: EntryLeft[] = [];
  let erased = 0;
  for (let request: ChainPageRequest = { limit: rowsPerPage, ...(after === undefined ? {} : { after }) }; ; ) {
    const { rows, next } = await chain.page(request);
    const wanted: AuditEntry[] = [];
    const changed: AuditEntry[] = [];
    const unlisted: EntryPosition[] = [];
    for (const { position, entry } of rows) {
      const stored = entry as AuditEntry;
      const isOurs = isGenuine(stored, (generation) => audit.kek(generation));
      if (!isOurs || stored.chain !== chain.id || stored.sequence !== position) {
        left.push({ reason: 'Damaged', item: `${chain.id}/${position}` });
        const at: unknown = (entry as Partial<AuditEntry> | undefined)?.at;
        if (typeof at === 'string') unlisted.push({ at, chain: chain.id, sequence: position });
        continue;
      }
      if (!chain.isWanted(stored)) continue;
      const after = erasedEntry(stored, audit.kek(stored.keyGeneration));
      if (after !== undefined) changed.push(after);
      else if (stored.format === undefined && hasPersonalFacts(stored)) {
        left.push({ reason: 'OlderFormat', item: `${chain.id}/${position}` });
        unlisted.push(stored);
        continue;
      }
      wanted.push(after ?? stored);
    }
    await timelineIndex.add(wanted.map((entry) => ({ ...chain.about, entry: shownEntry(entry) })));
    await timelineIndex.remove(unlisted);
    await chain.replace(changed);
    erased += changed.length;
    if (next === undefined) return { erased, left };
    if (isLate()) return { erased, left, next };
    request = { limit: rowsPerPage, after: next };
  }
}
