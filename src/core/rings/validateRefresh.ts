/**
 * The part of a ring that a process with a copy accepts when it reads the ring again: everything except what only
 * another writer of the table can have written. Generations count from 1, a new one is newer than all before, and the
 * state never returns to an older one.
 */
import type { Log } from '../base/log.ts';
import type { RingName } from '../base/vocabulary.ts';
import { hasRow, type RingRow, type StoredRing, sealingOf } from './storedRing.ts';

/** `before`: as accepted the last time; `knows`: generations that this process has decrypted. */
export function validateRefresh(
  ring: RingName,
  read: StoredRing,
  before: StoredRing | undefined,
  knows: (generation: number) => boolean,
  log: Log,
): StoredRing {
  if (before !== undefined && read.rows.length === 0) {
    log.error('Ring rows are missing and must be restored before this process ends', { ring });
    return before;
  }
  const isLate = (generation: number): boolean =>
    before !== undefined && generation < sealingOf(before) && !hasRow(before.rows, generation) && !knows(generation);
  const isOurs = ({ generation }: RingRow) => Number.isSafeInteger(generation) && generation > 0 && !isLate(generation);
  for (const { generation } of read.rows.filter((row) => !isOurs(row)))
    log.error('Skipped a ring row that this service did not write', { ring, generation });
  const stored = { ...read, rows: read.rows.filter(isOurs) };
  if (before?.state === undefined || sealingOf(stored) >= sealingOf(before)) return stored;
  log.error('Rejected a ring state that names an older generation than before', { ring });
  return { ...stored, state: before.state };
}

/**
 * The ring with the generation that was activated last according to the service's chain. No older one encrypts again.
 */
export function rejectOlderSealing(activated: number, ring: RingName, stored: StoredRing, log: Log): StoredRing {
  if (sealingOf(stored) >= activated) return stored;
  log.error('Rejected a ring state that names an older generation than the audit chain', { ring });
  const { since = 0 } = stored.state?.value ?? {};
  return { ...stored, state: { value: { sealing: activated, since }, etag: stored.state?.etag ?? '' } };
}
