import { describe, expect, it } from 'vitest';
import { decisionAfterLostRace, outboxDecision } from '../../src/core/announcements/outboxDecision.ts';
import type { OutboxRow } from '../../src/core/announcements/ports.ts';
import type { AuditEntry } from '../../src/core/audit/auditEntry.ts';

const minute = 60_000;
const row: OutboxRow = {
  id: 'x',
  chain: 'service',
  subject: { kind: 'service' },
  first: 4,
  hashes: ['a', 'b'],
  at: 1000,
};
const entries = (...hashes: string[]) => ({ entries: hashes.map((hash) => ({ hash }) as AuditEntry), unreadable: 0 });
const unreadable = { entries: [], unreadable: 2 };

describe('INV-6: a row of the outbox', () => {
  // A handler runs for ten minutes at most (host.json); a running batch may take a little longer.
  it.each([
    ['is announced when its entries stand', entries('a', 'b'), 2, 'announce'],
    ['is announced however long they have been standing', entries('a', 'b'), 10_000, 'announce'],
    ['waits while its batch may still be on its way', entries(), 10, 'wait'],
    ['goes when no handler can be running any more', entries(), 16, 'drop'],
    ['goes when another writer was first: that one has a row of its own', entries('c', 'd'), 2, 'drop'],
    ['goes when another writer was first, with fewer entries', entries('c'), 2, 'drop'],
    ['waits when its batch came between two reads', entries('b'), 2, 'wait'],
    ['has announced what is left of it when no handler can be running any more', entries('b'), 16, 'announce'],
    ['stays where what stands there is no entry', unreadable, 16, 'unreadable'],
  ] as const)('%s', (_, standing, minutes, fate) => {
    expect(outboxDecision(row, standing, row.at + minutes * minute)).toBe(fate);
  });

  it.each([
    ['is announced when the answer was lost, and not the race', entries('a', 'b'), 'announce'],
    ['goes at once when another writer was first', entries('c', 'd'), 'drop'],
    ['goes at once when the other wrote no entry', entries(), 'drop'],
    ['goes at once when what stands there is no entry', unreadable, 'drop'],
  ] as const)('after a lost race %s', (_, standing, fate) => {
    expect(decisionAfterLostRace(row, standing)).toBe(fate);
  });
});
