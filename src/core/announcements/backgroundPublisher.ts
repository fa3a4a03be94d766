/**
 * Publishes right after the commit. No caller waits for it:
 *
 *   row in the outbox ─▶ batch with the entries ─▶ response to the caller
 *                                 └─▶ in the background: published ─▶ row removed
 *
 * A crash after the first step leaves a row whose entries are not in the chain; a crash after the second, a row whose
 * entries are. The pass (outboxPass.ts) tells them apart. The same row stays where the topic fails, where the batch
 * threw, and where too many entries wait in this process. So each entry in a chain is published at least once. A lost
 * race is checked in the background too: mostly the entries are another writer's, but a response can have been lost
 * before another writer came.
 */

import { LostRace } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { measure } from '../base/metrics.ts';
import type { AnnouncementsDeps } from './deps.ts';
import { decisionAfterLostRace } from './outboxDecision.ts';
import type { Announcer, Outbox, PublishDeps } from './ports.ts';
import { type Due, publishDue } from './publish.ts';

interface Task extends Due {
  /** Another writer was faster, as far as is known. */
  readonly isLost?: true;
}

/** Entries that wait in this process. Further ones are left to the sweep. */
const maxWaiting = 1_000;

type Deps = PublishDeps & { readonly outbox: Outbox } & Pick<AnnouncementsDeps, 'clock' | 'random' | 'log'>;

export function createAnnouncer({ source, topic, outbox, clock, random, log }: Deps): Announcer {
  let waiting: Task[] = [];
  let count = 0;
  let isAtWork = false;
  let atWork = Promise.resolve();
  const tally = createTally();

  /** Never rejects: no code awaits it, and an unhandled rejection would end the process. */
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
    const due = (await Promise.all(tasks.map(findCommitted))).filter((one) => one !== undefined);
    const { published, left, failure } = await publishDue(due, { topic, outbox, source });
    tally.add('published', published);
    tally.add('failed', entriesIn(left), failure?.status);
  }

  async function findCommitted(task: Task): Promise<Due | undefined> {
    if (!task.isLost) return task;
    try {
      if (decisionAfterLostRace(task.row, await outbox.entries(task.row)) === 'announce') return task;
      await outbox.remove(task.row);
    } catch {
      // The pass publishes it.
    }
    return undefined;
  }

  function enqueue(task: Task): void {
    const entries = task.entries.length;
    if (count + entries > maxWaiting) {
      tally.add('deferred', entries);
      return;
    }
    waiting.push(task);
    count += entries;
    if (!isAtWork) atWork = work();
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
      const position = { chain: first.chain, first: first.sequence, hashes };
      const row = { ...position, id: random.uuid(), subject, at: clock.now() };
      await outbox.put(row);
      try {
        const result = await write();
        enqueue({ row, entries });
        return result;
      } catch (error) {
        if (error instanceof LostRace) enqueue({ row, entries, isLost: true });
        throw error;
      }
    },
    report: () => tally.report(log),
    idle: () => atWork,
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
  log.error('The announcement topic did not accept events, which wait in the outbox', { count, status });
