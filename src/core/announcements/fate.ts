/**
 * What becomes of a row of the outbox, by what stands at its places in the chain. Pure.
 *
 *   this writer's entries    the batch took place: announce them
 *   another writer's         this one lost the race, and the other has a row of its own: the row goes
 *   nothing                  the batch may still be on its way; once no handler can be running any more it never will: the row goes
 */
import type { AuditEntry } from '../audit.ts';
import type { OutboxRow } from '../ports.ts';
import { olderKeyWaitMs } from '../rings/times.ts';
import type { EpochMs } from '../time.ts';

export type Fate = 'announce' | 'wait' | 'drop';

export function fateOf(row: OutboxRow, standing: readonly AuditEntry[], now: EpochMs): Fate {
  if (standing.length === 0) return now - row.at > olderKeyWaitMs ? 'drop' : 'wait';
  return isOf(row, standing) ? 'announce' : 'drop';
}

/** A race is lost for good: a batch that did not take place never will, because an etag that is gone does not come back. */
export const fateAfterLostRace = (row: OutboxRow, standing: readonly AuditEntry[]): Exclude<Fate, 'wait'> =>
  isOf(row, standing) ? 'announce' : 'drop';

const isOf = ({ hashes }: OutboxRow, standing: readonly AuditEntry[]): boolean =>
  standing.length === hashes.length && standing.every(({ hash }, index) => hash === hashes[index]);
