/**
 * The order in which this process writes the overview in the background. What a change of state needs is written at
 * once. What many changes share, the counts of the service and the time line, gathers for a moment first.
 */
import pLimit from 'p-limit';
import { describeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

export interface BackgroundWork {
  /** A later task of the same subject replaces one that has not started. */
  atOnce(subject: string, task: () => Promise<void>): void;
  /** Runs after the moment, or as soon as a reader or `hurry` wants it, and after the tasks that run by then. */
  gathered(subject: string, task: () => Promise<void>): void;
  /** What has gathered is written now. */
  hurry(): void;
  /** Resolves when everything that was noted before is done, or has failed. */
  settled(): Promise<void>;
}

const tasksAtOnce = 8;

/** @param moment resolves when what has gathered is due. */
export function createBackgroundWork(moment: () => Promise<void>, log: Log): BackgroundWork {
  const limit = pLimit(tasksAtOnce);
  const urgent = new Map<string, () => Promise<void>>();
  const gathering = new Map<string, () => Promise<void>>();
  let hurried = Promise.withResolvers<void>();
  let working: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;

  async function logged(subject: string, task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      log.warn('The overview was not updated', { row: subject, error: describeError(error) });
    }
  }

  async function work(tasks: Map<string, () => Promise<void>>): Promise<void> {
    while (tasks.size > 0) {
      const taken = [...tasks];
      tasks.clear();
      await Promise.all(taken.map(([subject, task]) => limit(() => logged(subject, task))));
    }
  }

  /** Never rejects. A turn of the event loop first, so that concurrent changes share their writes. */
  async function workUrgent(): Promise<void> {
    await Promise.resolve();
    await work(urgent);
    working = undefined;
  }

  async function workGathered(): Promise<void> {
    await Promise.race([moment(), hurried.promise]);
    hurried = Promise.withResolvers();
    while (working !== undefined) await working;
    await work(gathering);
    waiting = undefined;
  }

  return {
    atOnce(subject, task) {
      urgent.set(subject, task);
      working ??= workUrgent();
    },
    gathered(subject, task) {
      gathering.set(subject, task);
      waiting ??= workGathered();
    },
    hurry: () => hurried.resolve(),
    async settled() {
      for (;;) {
        hurried.resolve();
        const work = working ?? waiting;
        if (work === undefined) return;
        await work;
      }
    },
  };
}
