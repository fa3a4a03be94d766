import { describe, expect, it } from 'vitest';
import type { Announcement } from '../../src/core/announcements/announcement.ts';
import type { OutboxRow, Published } from '../../src/core/announcements/ports.ts';
import { type Due, publishDue } from '../../src/core/announcements/publish.ts';
import type { AuditEntry } from '../../src/core/audit/auditEntry.ts';

const chain = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff';
/** A page of revealed secrets with long names: as large as an entry can be. */
const secrets = Array.from({ length: 100 }, (_, n) => `jobInputs/${'n'.repeat(280)}${n}`);

const due = (sequence: number, count = 1, more: Partial<AuditEntry> = {}): Due => {
  const entries = Array.from({ length: count }, (_, n): AuditEntry => {
    const place = { chain, sequence: sequence + n, at: '2026-11-23T19:49:10.000Z', previousHash: '', keyGeneration: 1 };
    return { ...place, type: 'AccountUpdated', actor: { kind: 'keyward', id: 'x' }, hash: 'h'.repeat(43), ...more };
  });
  const subject = { kind: 'account', name: 'a', owner: 'o' } as const;
  const hashes = entries.map(({ hash }) => hash);
  return { row: { id: String(sequence), chain, subject, first: sequence, hashes, at: 0 }, entries };
};

/** A topic with the given answers, and an outbox. */
function stage(answer: (batch: readonly Announcement[]) => Published = () => ({ outcome: 'published' })) {
  const batches: (readonly Announcement[])[] = [];
  const removed: number[] = [];
  const tools = {
    source: '/keyward',
    topic: {
      publish: async (batch: readonly Announcement[]) => {
        batches.push(batch);
        return answer(batch);
      },
    },
    outbox: { remove: async ({ first }: OutboxRow) => void removed.push(first) },
  };
  return { batches, removed, tools };
}

const sequences = (batches: readonly (readonly Announcement[])[]) =>
  batches.map((batch) => batch.map(({ data }) => data.sequence));

describe('what is due', () => {
  it('due entries are published in order, in one batch when they are few', async () => {
    const { batches, removed, tools } = stage();
    const outcome = await publishDue([due(1, 2), due(3)], tools);
    expect(outcome).toEqual({ published: 3, left: [] });
    expect(sequences(batches)).toEqual([[1, 2, 3]]);
    expect(removed).toEqual([1, 3]);
  });

  it('due entries are published in batches that Event Grid accepts: 1 MB and 5,000 events', async () => {
    const { batches, tools } = stage();
    await publishDue(
      Array.from({ length: 100 }, (_, n) => due(n + 1, 1, { secrets })),
      tools,
    );
    expect(batches.length).toBeGreaterThan(2);
    expect(sequences(batches).flat()).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    for (const batch of batches) expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThan(1_000_000);

    const small = stage();
    await publishDue(
      Array.from({ length: 1_200 }, (_, n) => due(n + 1)),
      small.tools,
    );
    expect(Math.max(...small.batches.map(({ length }) => length))).toBeLessThanOrEqual(5_000);
    expect(sequences(small.batches).flat()).toHaveLength(1_200);
  });

  it('due entries wait when the topic fails, and no later entry is tried', async () => {
    const { batches, removed, tools } = stage(() => ({ outcome: 'failed', status: '503' }));
    const all = Array.from({ length: 100 }, (_, n) => due(n + 1, 1, { secrets }));
    const outcome = await publishDue(all, tools);
    expect(outcome).toEqual({ published: 0, left: all, failure: { outcome: 'failed', status: '503' } });
    expect([batches.length, removed.length]).toEqual([1, 0]);
  });

  it('a due entry waits when the topic refuses it, and the rows after it are published', async () => {
    const isBad = (batch: readonly Announcement[]) => batch.some(({ data }) => data.sequence === 1);
    const { tools } = stage((batch) =>
      isBad(batch) ? { outcome: 'refused', status: '400' } : { outcome: 'published' },
    );
    const outcome = await publishDue(
      Array.from({ length: 100 }, (_, n) => due(n + 1, 1, { secrets })),
      tools,
    );
    expect(outcome.failure).toEqual({ outcome: 'refused', status: '400' });
    expect(outcome.published).toBe(100 - outcome.left.length);
    expect(outcome.left[0]?.row.first).toBe(1);
    expect(outcome.published).toBeGreaterThan(50);
  });
});
