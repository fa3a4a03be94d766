/**
 * Publishes the entries of outbox rows, in batches that the topic accepts, and deletes published rows. After a crash
 * between the two they are published again.
 */

import pLimit from 'p-limit';
import type { AuditEntry } from '../audit/auditEntry.ts';
import { defined } from '../base/defined.ts';
import { type Announcement, announcementOf } from './announcement.ts';
import type { Outbox, OutboxRow, PublishDeps, Published } from './ports.ts';

/**
 * Azure Event Grid: 1 MB and 5,000 events per request. What the SDK adds to each event is less than the allowance here.
 */
const batchBytes = 900_000;
const allowanceBytes = 250;
const batchEvents = 500;
const removalsAtOnce = 8;

export interface Due {
  readonly row: OutboxRow;
  readonly entries: readonly AuditEntry[];
}

export interface Outcome {
  readonly published: number;
  /** What the topic did not accept, and its first response that said so. */
  readonly left: readonly Due[];
  readonly failure?: Exclude<Published, { outcome: 'published' }>;
}

/** In the order given. Stops where the topic does not answer; a refused batch stops none after it. */
export async function publishDue(due: readonly Due[], deps: PublishDeps): Promise<Outcome> {
  let published = 0;
  const left: Due[] = [];
  let failure: Outcome['failure'];
  for (const batch of batchesOf(due, deps.source)) {
    if (failure?.outcome === 'failed') {
      left.push(...batch.due);
      continue;
    }
    const answer = await deps.topic.publish(batch.announcements);
    if (answer.outcome === 'published') {
      published += batch.announcements.length;
      await removeRows(batch.due, deps.outbox);
    } else {
      failure = answer.outcome === 'failed' ? answer : (failure ?? answer);
      left.push(...batch.due);
    }
  }
  return { published, left, ...defined({ failure }) };
}

interface Batch {
  readonly due: Due[];
  readonly announcements: Announcement[];
  bytes: number;
}

/** A row's entries stay together, as they were committed: they are far fewer, and smaller, than a batch may be. */
function batchesOf(due: readonly Due[], source: string): Batch[] {
  const batches: Batch[] = [];
  for (const one of due) {
    const announcements = one.entries.map((entry) => announcementOf(entry, one.row.subject, source));
    const bytes = announcements.reduce((sum, each) => sum + sizeOf(each), 0);
    const open = batches.at(-1);
    const fits =
      open !== undefined &&
      open.bytes + bytes <= batchBytes &&
      open.announcements.length + announcements.length <= batchEvents;
    const batch = fits ? open : { due: [], announcements: [], bytes: 0 };
    if (!fits) batches.push(batch);
    batch.due.push(one);
    batch.announcements.push(...announcements);
    batch.bytes += bytes;
  }
  return batches;
}

const sizeOf = (announcement: Announcement): number =>
  Buffer.byteLength(JSON.stringify(announcement), 'utf8') + allowanceBytes;

/** A row that could not be deleted is published again. */
async function removeRows(due: readonly Due[], outbox: Pick<Outbox, 'remove'>): Promise<void> {
  await pLimit(removalsAtOnce).map(due, ({ row }) => outbox.remove(row).catch(() => undefined));
}
