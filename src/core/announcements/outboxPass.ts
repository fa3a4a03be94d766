/**
 * Announcing what has been waiting: whatever a process that died, or a topic that failed, has left in the outbox. A row names
 * places in a chain; what stands there decides (fate.ts). One pass at a time. It can stop anywhere and be begun again.
 */
import pLimit from 'p-limit';
import type { AuditEntry } from '../audit/auditEntry.ts';
import { isGenuine } from '../audit/chainCheck.ts';
import { describeError, Unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { measure } from '../base/metrics.ts';
import type { EpochMs } from '../base/time.ts';
import type { Ring } from '../rings/ring.ts';
import { logPublishFailure } from './backgroundPublisher.ts';
import type { AnnouncementsDeps } from './deps.ts';
import { outboxDecision } from './outboxDecision.ts';
import type { Announcer, OutboxRow } from './ports.ts';
import { type Due, publishDue } from './publish.ts';

/** Before that, whoever wrote the row is about to announce it. */
const waitMs = 60_000;
/** The sweep has come by, and the pass has had its time: who has waited for longer is late. */
const lateMs = 180_000;
const rowsAPage = 100;
const rowsCounted = 1_000;
const rowsJudged = 20;
const readsAtOnce = 8;
/** A handler may run for ten minutes; another message goes on. */
const passMs = 60_000;
const busyDelayMs = 5_000;

type Tools = Pick<AnnouncementsDeps, 'announcer' | 'dailyQueue' | 'clock' | 'log'>;

/** With every sweep: a wake-up where something has been waiting, and the age of the oldest. */
export async function wakeAnnouncing({ announcer, dailyQueue, clock, log }: Tools): Promise<void> {
  if (announcer === undefined) return;
  announcer.report();
  const now = clock.now();
  const { rows, unreadable } = await announcer.outbox.page({ before: now - waitMs, limit: rowsCounted });
  if (unreadable > 0) log.error('Rows of the outbox that cannot be read were passed by', { count: unreadable });
  if (rows.length > 0) measure(log, 'keyward.announcements.oldest.ms', now - oldestOf(rows), {});
  // What cannot be read may stand before what waits.
  if (rows.length + unreadable > 0) await dailyQueue.send({ visit: 'announcements' });
}

const oldestOf = (rows: readonly OutboxRow[]): EpochMs => Math.min(...rows.map(({ at }) => at));

export async function announceWaiting(after: string | undefined, service: AnnouncementsDeps): Promise<void> {
  const { announcer, vaults, clock, dailyQueue } = service;
  if (announcer === undefined) return;
  const until = clock.now() + passMs;
  const ticket = await vaults.beginWork('announcements', clock.now(), until + passMs);
  if (ticket === undefined) {
    // A pass is under way. One that is to be gone on with must not be lost: nobody else comes by where it was.
    if (after !== undefined) await dailyQueue.send({ visit: 'announcements', after }, busyDelayMs);
    return;
  }
  let next = after;
  try {
    next = await passUntil(until, after, announcer, service);
  } finally {
    await vaults.endWork('announcements', ticket);
  }
  if (next !== undefined) await dailyQueue.send({ visit: 'announcements', after: next });
}

/** Where to go on; undefined at the end, and where the topic fails: the next sweep wakes another pass. */
async function passUntil(
  until: EpochMs,
  from: string | undefined,
  announcer: Announcer,
  service: AnnouncementsDeps,
): Promise<string | undefined> {
  let after = from;
  do {
    const before = service.clock.now() - waitMs;
    const { rows, next } = await announcer.outbox.page({ before, limit: rowsAPage, after });
    const due = await dueOf(rows, announcer, service);
    if ((await publishAll(due, announcer, service)) === 'failed') return undefined;
    after = next;
  } while (after !== undefined && service.clock.now() < until);
  return after;
}

/** Rows that are to be announced, with their entries, in order; those that never will be are removed. */
async function dueOf(rows: readonly OutboxRow[], { outbox }: Announcer, service: AnnouncementsDeps): Promise<Due[]> {
  const { clock, log } = service;
  if (rows.length === 0) return [];
  const { audit } = await service.rings();
  const visited = await pLimit(readsAtOnce).map(rows, async (row): Promise<Due | undefined> => {
    try {
      const standing = await outbox.entries(row);
      const { entries } = standing;
      const fate = outboxDecision(row, standing, clock.now());
      if (fate === 'drop') await outbox.remove(row);
      if (fate === 'unreadable') logUnreadableRow(row, 'noEntry', log);
      if (fate !== 'announce') return undefined;
      if (areOurs(row, entries, audit)) return { row, entries };
      log.error('An entry that waits to be announced does not verify', { chain: row.chain, sequence: row.first });
      return undefined;
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      // One row's trouble stops no other: it is met again by the next pass.
      logUnreadableRow(row, describeError(error), log);
      return undefined;
    }
  });
  return visited.filter((one) => one !== undefined);
}

const logUnreadableRow = ({ chain, first: sequence }: OutboxRow, error: string, log: Log): void =>
  log.error('Entries that wait to be announced could not be read', { chain, sequence, error });

/** What this process has just committed needs no such proof: here anybody who writes the tables may have been at work. */
const areOurs = (row: OutboxRow, entries: readonly AuditEntry[], audit: Pick<Ring, 'kek'>): boolean =>
  entries.every((entry) => isOfRow(entry, row) && isGenuine(entry, (generation) => audit.kek(generation)));

const isOfRow = ({ chain, sequence }: AuditEntry, { chain: wanted, first, hashes }: OutboxRow): boolean =>
  chain === wanted && sequence >= first && sequence < first + hashes.length;

/** A batch that is refused is tried row by row: so one that can never be announced stands alone in the end. */
async function publishAll(
  due: readonly Due[],
  announcer: Announcer,
  { log }: AnnouncementsDeps,
): Promise<'failed' | 'done'> {
  const together = await publishDue(due, announcer);
  let { published } = together;
  let failure = together.trouble?.outcome === 'failed' ? together.trouble : undefined;
  const refused: { readonly row: OutboxRow; readonly status: string }[] = [];
  for (const one of failure === undefined ? together.left : []) {
    const alone = await publishDue([one], announcer);
    published += alone.published;
    if (alone.trouble?.outcome === 'refused') {
      refused.push({ row: one.row, status: alone.trouble.status });
      if (one.row.isRefused !== true) await announcer.outbox.put({ ...one.row, isRefused: true });
    }
    if (alone.trouble?.outcome !== 'failed') continue;
    failure = alone.trouble;
    break;
  }
  const left = due.reduce((sum, { entries }) => sum + entries.length, 0) - published;
  if (published > 0) measure(log, 'keyward.announcements', published, { result: 'published' });
  if (left > 0) measure(log, 'keyward.announcements', left, { result: 'failed' });
  const [first] = refused;
  if (first !== undefined)
    log.error('The announcement topic refuses an entry: it waits for somebody to look', {
      chain: first.row.chain,
      sequence: first.row.first,
      count: refused.length,
      status: first.status,
    });
  if (failure === undefined) return 'done';
  logPublishFailure(left, failure.status, log);
  return 'failed';
}

export interface Backlog {
  readonly waiting: number;
  /** False: there are more than are counted. */
  readonly isComplete: boolean;
  readonly oldestAt?: EpochMs;
}

export async function backlogOf({ outbox }: Announcer, { clock }: Pick<AnnouncementsDeps, 'clock'>): Promise<Backlog> {
  const { rows, next } = await outbox.page({ before: clock.now(), limit: rowsCounted });
  const waiting = rows.reduce((sum, { hashes }) => sum + hashes.length, 0);
  return { waiting, isComplete: next === undefined, ...(rows.length === 0 ? {} : { oldestAt: oldestOf(rows) }) };
}

/**
 * What readiness asks: an entry that stands and has not been announced for long is the topic's trouble, or the timer's. A row that is
 * refused, forged or damaged is told by an alert of its own, and makes no service unready that nobody could mend but by hand.
 */
export async function isLate(
  { outbox }: Announcer,
  { clock, rings }: Pick<AnnouncementsDeps, 'clock' | 'rings'>,
): Promise<boolean> {
  const now = clock.now();
  const { rows } = await outbox.page({ before: now - lateMs, limit: rowsCounted });
  const isWaiting = async (row: OutboxRow) => {
    const standing = await outbox.entries(row);
    if (outboxDecision(row, standing, now) !== 'announce') return false;
    return areOurs(row, standing.entries, (await rings()).audit);
  };
  for (const row of rows.filter(({ isRefused }) => isRefused !== true).slice(0, rowsJudged))
    if (await isWaiting(row)) return true;
  return false;
}
