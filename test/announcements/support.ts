/** The parts that tests of announcements share: they compare events with the schema and with the chains. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import * as z from 'zod';
import { announcementSchema } from '../../src/core/announcements/announcementSchema.ts';
import type { AuditEntry } from '../../src/core/audit/auditEntry.ts';
import type { CloudEvent } from '../../src/local/topic/topic.ts';

/** As it arrives: the SDK adds two attributes, and no others may be present. */
const arrivedSchema = announcementSchema.extend({
  specversion: z.literal('1.0'),
  datacontenttype: z.literal('application/json'),
});
export type Arrived = z.infer<typeof arrivedSchema>;

export const arrived = (events: readonly CloudEvent[]): Arrived[] =>
  events.map((event) => {
    const { error, data } = arrivedSchema.safeParse(event);
    if (data === undefined) throw new Error(`${JSON.stringify(event)}: ${error && z.prettifyError(error)}`);
    return data;
  });

/** INV-6: each entry was announced at least once, with its number and the hash of the chain, and nothing else was. */
export function expectAnnounced(entries: readonly AuditEntry[], events: readonly Arrived[]): void {
  expect(entries.length).toBeGreaterThan(0);
  const chain = entries[0]?.chain ?? '';
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1));
  const published = new Map(events.filter(({ data }) => data.chain === chain).map((event) => [event.id, event]));
  expect([...published.values()].map(factsOf).toSorted(bySequence)).toEqual(
    entries.map(({ sequence, hash, type, at }) => ({
      id: `${chain}/${sequence}`,
      type: `Keyward.${type}`,
      time: at,
      chain,
      sequence,
      hash,
    })),
  );
}

const factsOf = ({ id, type, time, data: { chain, sequence, hash } }: Arrived) => ({
  id,
  type,
  time,
  chain,
  sequence,
  hash,
});
const bySequence = (a: { sequence: number }, b: { sequence: number }) => a.sequence - b.sequence;

/** The table of docs/events.md. */
export function documentedKinds(): { what: string; type: string; after: string | undefined }[] {
  const text = readFileSync(fileURLToPath(new URL('../../docs/events.md', import.meta.url)), 'utf8');
  const rows = [...text.matchAll(/^\| (.+?) \| `(Keyward\.\w+)` \| (?:`data\.after` = `(\w+)` )?\|$/gm)];
  return rows.map(([, what = '', type = '', after]) => ({ what, type, after }));
}
