/**
 * Decides about a row of the outbox from the entries at its positions in the chain. Pure.
 *
 *   this writer's entries    the batch was committed: publish them
 *   another writer's         this writer lost the race, and the other has its own row: delete the row
 *   none, or a part          the batch may be on its way, or was committed between two reads. When no handler can be running any
 *                            more, it never will be committed: delete the row and publish the part that is there
 *   not an audit entry       another program wrote to the table: the author is unknown
 */

import type { EpochMs } from '../base/time.ts';
import { olderKeyWaitMs } from '../rings/durations.ts';
import type { OutboxRow, StoredEntries } from './ports.ts';

export type OutboxDecision = 'announce' | 'wait' | 'drop' | 'unreadable';

export function outboxDecision(row: OutboxRow, stored: StoredEntries, now: EpochMs): OutboxDecision {
  if (isOf(row, stored)) return 'announce';
  const { entries, unreadable } = stored;
  if (entries.some(({ hash }) => !row.hashes.includes(hash))) return 'drop';
  if (unreadable > 0) return 'unreadable';
  if (now - row.at <= olderKeyWaitMs) return 'wait';
  return entries.length === 0 ? 'drop' : 'announce';
}

/**
 * A lost race is final: the batch can never be committed, because an old ETag does not come back. An item that is not
 * an entry does not belong to this writer: in a chain's next position it makes every writer lose, and no writer's row
 * is left.
 */
export const decisionAfterLostRace = (row: OutboxRow, stored: StoredEntries): 'announce' | 'drop' =>
  isOf(row, stored) ? 'announce' : 'drop';

const isOf = ({ hashes }: OutboxRow, { entries }: StoredEntries): boolean =>
  entries.length === hashes.length && entries.every(({ hash }, index) => hash === hashes[index]);
