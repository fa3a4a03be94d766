/**
 * What becomes of a row of the outbox, by what stands at its places in the chain. Pure.
 *
 *   this writer's entries    the batch took place: announce them
 *   another writer's         this one lost the race, and the other has a row of its own: the row goes
 *   nothing, or a part       the batch may still be on its way, or has just come between two reads; once no handler can be running any
 *                            more it never will: the row goes, and what stands of it is announced
 *   what is no entry         somebody has been at the table: nobody can say whose it was
 */

import type { EpochMs } from '../base/time.ts';
import { olderKeyWaitMs } from '../rings/durations.ts';
import type { OutboxRow, StoredEntries } from './ports.ts';

export type OutboxDecision = 'announce' | 'wait' | 'drop' | 'unreadable';

export function outboxDecision(row: OutboxRow, standing: StoredEntries, now: EpochMs): OutboxDecision {
  if (isOf(row, standing)) return 'announce';
  const { entries, unreadable } = standing;
  if (entries.some(({ hash }) => !row.hashes.includes(hash))) return 'drop';
  if (unreadable > 0) return 'unreadable';
  if (now - row.at <= olderKeyWaitMs) return 'wait';
  return entries.length === 0 ? 'drop' : 'announce';
}

/**
 * A race is lost for good: a batch that did not take place never will, because an etag that is gone does not come back. What is no
 * entry is none of this writer's: whoever puts it into a chain's next place makes every writer lose, and no row is left of any.
 */
export const decisionAfterLostRace = (row: OutboxRow, standing: StoredEntries): 'announce' | 'drop' =>
  isOf(row, standing) ? 'announce' : 'drop';

const isOf = ({ hashes }: OutboxRow, { entries }: StoredEntries): boolean =>
  entries.length === hashes.length && entries.every(({ hash }, index) => hash === hashes[index]);
