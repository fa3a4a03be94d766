/**
 * Announcing right after the commit, at no transition's expense:
 *
 *   row in the outbox ─▶ batch with the entries ─▶ answer to the caller
 *                                 └─▶ in the background: published ─▶ row removed
 *
 * A crash leaves, after the first step, a row whose entries do not stand in the chain; after the second, a row whose entries do.
 * The pass (pass.ts) tells them apart. The same row is left where the topic fails, where the batch threw, whatever became of it,
 * and where too much waits in this process already. So each entry that stands is announced at least once. A lost race is looked
 * into in the background too: mostly the entries are another's, but an answer can have been lost and another writer have come by.
 */

import { LostRace } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { measure } from '../base/metrics.ts';
import type { AnnouncementsDeps } from './deps.ts';
import { decisionAfterLostRace } from './outboxDecision.ts';
import type { Announcer, Outbox, PublishTools } from './ports.ts';
import { type Due, publishDue } from './publish.ts';

interface Task extends Due {
  /** Another writer was faster, as far as is known. */
  readonly isLost?: true;
}

/** Entries that wait in this process; more are left to the sweep. */
const mostWaiting = 1_000;

type Tools = PublishTools & { readonly outbox: Outbox } & Pick<AnnouncementsDeps, 'clock' | 'random' | 'log'>;

export function createAnnouncer({ source, topic, outbox, clock, random, log }: Tools): Announcer {
  let waiting: Task[] = [];
  let count = 0;
  let isAtWork = false;
  const tally = createTally();

  /** Never rejects: nobody waits for it, and a rejection that nobody sees would end the process. */
  async function work(): Promise<void> {
    isAtWork = true;
    while (waiting.length > 0) {
      const tasks = waiting;
      waiting = [];
      await announce(tasks).catch(() => undefined);
      count -= entriesIn(tasks);
    }
    isAtWork = false;
  }

  async function announce(tasks: readonly Task[]): Promise<void> {
    const due = (await Promise.all(tasks.map(committed))).filter((one) => one !== undefined);
    const { published, left, trouble } = await publishDue(due, { topic, outbox, source });
    tally.add('published', published);
    tally.add('failed', entriesIn(left), trouble?.status);
  }

  async function committed(task: Task): Promise<Due | undefined> {
    if (!task.isLost) return task;
    try {
      if (decisionAfterLostRace(task.row, await outbox.entries(task.row)) === 'announce') return task;
      await outbox.remove(task.row);
    } catch {
      // The pass comes by.
    }
    return undefined;
  }

  function later(task: Task): void {
    const entries = task.entries.length;
    if (count + entries > mostWaiting) {
      tally.add('deferred', entries);
      return;
    }
    waiting.push(task);
    count += entries;
    if (!isAtWork) void work();
  }

  return {
    topic,
    outbox,
    source,
    async commit(subject, entries, write) {
      const [first] = entries;
      if (first === undefined) return write();
      tally.report(log);
      const hashes = entries.map(({ hash }) => hash);
      const place = { chain: first.chain, first: first.sequence, hashes };
      const row = { ...place, id: random.uuid(), subject, at: clock.now() };
      await outbox.put(row);
      try {
        const result = await write();
        later({ row, entries });
        return result;
      } catch (error) {
        if (error instanceof LostRace) later({ row, entries, isLost: true });
        throw error;
      }
    },
    report: () => tally.report(log),
  };
}

const entriesIn = (due: readonly Due[]): number => due.reduce((sum, { entries }) => sum + entries.length, 0);

function createTally() {
  const counts = { published: 0, failed: 0, deferred: 0 };
  let status: string | undefined;
  return {
    add(result: keyof typeof counts, entries: number, why?: string) {
      counts[result] += entries;
      status = why ?? status;
    },
    report(log: Log) {
      for (const result of ['published', 'failed', 'deferred'] as const)
        if (counts[result] > 0) measure(log, 'keyward.announcements', counts[result], { result });
      if (counts.failed > 0) logPublishFailure(counts.failed, status, log);
      Object.assign(counts, { published: 0, failed: 0, deferred: 0 });
    },
  };
}

export const logPublishFailure = (count: number, status: string | undefined, log: Log): void =>
  log.error('The announcement topic does not take what is published: it waits', { count, status });
