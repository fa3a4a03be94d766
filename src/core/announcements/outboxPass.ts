/**
 * Publishes entries that wait: those that a crashed process or a failing topic has left in the outbox. A row names
 * positions in a chain, and the entries there decide (outboxDecision.ts). One pass runs at a time. It can stop anywhere
 * and be repeated.
 */
import pLimit from 'p-limit';
import type { AuditEntry } from '../audit/auditEntry.ts';
import { isGenuine } from '../audit/chainCheck.ts';
import { describeError, Unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { measure } from '../base/metrics.ts';
import type { EpochMs } from '../base/time.ts';
import { busy, withLock } from '../base/workLock.ts';
import type { Ring } from '../rings/ring.ts';
import { logPublishFailure } from './backgroundPublisher.ts';
import type { AnnouncementsDeps } from './deps.ts';
import { outboxDecision } from './outboxDecision.ts';
import type { Announcer, OutboxRow } from './ports.ts';
import { type Due, publishDue } from './publish.ts';

/** Earlier, the writer of the row is about to publish it. */
const waitMs = 60_000;
/** The sweep and the pass have had their time: an entry that waits longer is late. */
const lateMs = 180_000;
const rowsPerPage = 100;
const rowsCounted = 1_000;
const rowsJudged = 20;
const readsAtOnce = 8;
/** A handler may run for ten minutes; the next message continues. */
const passMs = 60_000;
const busyDelayMs = 5_000;

type Deps = Pick<AnnouncementsDeps, 'announcer' | 'dailyQueue' | 'clock' | 'log'>;

/** With every sweep: a wake-up where entries wait, and the age of the oldest. */
export async function wakeAnnouncing({ announcer, dailyQueue, clock, log }: Deps): Promise<void> {
  if (announcer === undefined) return;
  announcer.report();
  const now = clock.now();
  const { rows, unreadable } = await announcer.outbox.page({ before: now - waitMs, limit: rowsCounted });
  if (unreadable > 0) log.error('Skipped unreadable outbox rows', { count: unreadable });
  if (rows.length > 0) measure(log, 'keyward.announcements.oldest.ms', now - oldestOf(rows), {});
  // Unreadable rows may come before those that wait.
  if (rows.length + unreadable > 0) await dailyQueue.send({ visit: 'announcements' });
}

const oldestOf = (rows: readonly OutboxRow[]): EpochMs => Math.min(...rows.map(({ at }) => at));

export async function announceWaiting(after: string | undefined, deps: AnnouncementsDeps): Promise<void> {
  const { announcer, clock, dailyQueue } = deps;
  if (announcer === undefined) return;
  const until = clock.now() + passMs;
  const pass = () => passUntil(until, after, announcer, deps);
  const next = await withLock('announcements', 2 * passMs, pass, deps);
  if (next === busy) {
    // Another pass is running. A message that continues a pass must not be lost: no other reaches its position.
    if (after !== undefined) await dailyQueue.send({ visit: 'announcements', after }, busyDelayMs);
  } else if (next !== undefined) await dailyQueue.send({ visit: 'announcements', after: next });
}

/** Where to continue; undefined at the end, and where the topic fails: the next sweep starts another pass. */
async function passUntil(
  until: EpochMs,
  from: string | undefined,
  announcer: Announcer,
  deps: AnnouncementsDeps,
): Promise<string | undefined> {
  let after = from;
  do {
    const before = deps.clock.now() - waitMs;
    const { rows, next } = await announcer.outbox.page({ before, limit: rowsPerPage, after });
    const due = await dueOf(rows, announcer, deps);
    if ((await publishAll(due, announcer, deps)) === 'failed') return undefined;
    after = next;
  } while (after !== undefined && deps.clock.now() < until);
  return after;
}

/** Rows to publish with their entries, in order. Rows that never will be are deleted. */
async function dueOf(rows: readonly OutboxRow[], { outbox }: Announcer, deps: AnnouncementsDeps): Promise<Due[]> {
  const { clock, log } = deps;
  if (rows.length === 0) return [];
  const { audit } = await deps.rings();
  const visited = await pLimit(readsAtOnce).map(rows, async (row): Promise<Due | undefined> => {
    try {
      const stored = await outbox.entries(row);
      const { entries } = stored;
      const decision = outboxDecision(row, stored, clock.now());
      if (decision === 'drop') await outbox.remove(row);
      if (decision === 'unreadable') logUnreadableRow(row, 'noEntry', log);
      if (decision !== 'announce') return undefined;
      if (areOurs(row, entries, audit)) return { row, entries };
      log.error('A waiting audit entry did not verify', { chain: row.chain, sequence: row.first });
      return undefined;
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      // A failure of one row stops no other: the next pass finds it again.
      logUnreadableRow(row, describeError(error), log);
      return undefined;
    }
  });
  return visited.filter((one) => one !== undefined);
}

const logUnreadableRow = ({ chain, first: sequence }: OutboxRow, error: string, log: Log): void =>
  log.error('Waiting audit entries could not be read', { chain, sequence, error });

/** Entries that this process has just committed need no such proof. These may come from any writer of the tables. */
const areOurs = (row: OutboxRow, entries: readonly AuditEntry[], audit: Pick<Ring, 'kek'>): boolean =>
  entries.every((entry) => isOfRow(entry, row) && isGenuine(entry, (generation) => audit.kek(generation)));

const isOfRow = ({ chain, sequence }: AuditEntry, { chain: wanted, first, hashes }: OutboxRow): boolean =>
  chain === wanted && sequence >= first && sequence < first + hashes.length;

/** A batch that is refused is tried row by row, so that a row that can never be published is isolated. */
async function publishAll(
  due: readonly Due[],
  announcer: Announcer,
  { log }: AnnouncementsDeps,
): Promise<'failed' | 'done'> {
  const together = await publishDue(due, announcer);
  let { published } = together;
  let failure = together.failure?.outcome === 'failed' ? together.failure : undefined;
  const refused: { readonly row: OutboxRow; readonly status: string }[] = [];
  for (const one of failure === undefined ? together.left : []) {
    const alone = await publishDue([one], announcer);
    published += alone.published;
    if (alone.failure?.outcome === 'refused') {
      refused.push({ row: one.row, status: alone.failure.status });
      if (one.row.isRefused !== true) await announcer.outbox.put({ ...one.row, isRefused: true });
    }
    if (alone.failure?.outcome !== 'failed') continue;
    failure = alone.failure;
    break;
  }
  const left = due.reduce((sum, { entries }) => sum + entries.length, 0) - published;
  if (published > 0) measure(log, 'keyward.announcements', published, { result: 'published' });
  if (left > 0) measure(log, 'keyward.announcements', left, { result: 'failed' });
  const [first] = refused;
  if (first !== undefined)
    log.error('The announcement topic refused an event, which waits for an operator', {
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
 * For readiness: an entry that waits for long shows a fault of the topic or the timer. A refused, forged or damaged row
 * has an alert of its own, and makes no service unready, because only a person can repair it.
 */
export async function isLate(
  { outbox }: Announcer,
  { clock, rings }: Pick<AnnouncementsDeps, 'clock' | 'rings'>,
): Promise<boolean> {
  const now = clock.now();
  const { rows } = await outbox.page({ before: now - lateMs, limit: rowsCounted });
  const isWaiting = async (row: OutboxRow) => {
    const stored = await outbox.entries(row);
    if (outboxDecision(row, stored, now) !== 'announce') return false;
    return areOurs(row, stored.entries, (await rings()).audit);
  };
  for (const row of rows.filter(({ isRefused }) => isRefused !== true).slice(0, rowsJudged))
    if (await isWaiting(row)) return true;
  return false;
}
