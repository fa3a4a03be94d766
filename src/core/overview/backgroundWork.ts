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

type Tasks = Map<string, () => Promise<void>>;

/** @param moment resolves when what has gathered is due. */
export function createBackgroundWork(moment: () => Promise<void>, log: Log): BackgroundWork {
  const limit = pLimit(tasksAtOnce);
  /** The round that has not started. It runs when the rounds before it have ended, and is then in the promise. */
  let urgent: Tasks | undefined;
  let urgentDone: Promise<unknown> = Promise.resolve();
  let gathering: { readonly tasks: Tasks; readonly hurry: () => void } | undefined;
  let gatheredDone: Promise<unknown> = Promise.resolve();

  async function runLogged(subject: string, task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      log.warn('The overview was not updated', { row: subject, error: describeError(error) });
    }
  }

  const run = (tasks: Tasks) => limit.map(tasks, ([subject, task]) => runLogged(subject, task));

  function nextUrgent(): Tasks {
    const tasks: Tasks = new Map();
    // A turn of the event loop first, so that concurrent changes share their writes.
    urgentDone = urgentDone.then(() => {
      urgent = undefined;
      return run(tasks);
    });
    return tasks;
  }

  function nextGathering() {
    const tasks: Tasks = new Map();
    const hurried = Promise.withResolvers<void>();
    const isDue = Promise.race([moment(), hurried.promise]);
    gatheredDone = Promise.all([gatheredDone, isDue]).then(async () => {
      await urgentDone;
      gathering = undefined;
      await run(tasks);
    });
    return { tasks, hurry: hurried.resolve };
  }

  return {
    atOnce(subject, task) {
      urgent ??= nextUrgent();
      urgent.set(subject, task);
    },
    gathered(subject, task) {
      gathering ??= nextGathering();
      gathering.tasks.set(subject, task);
    },
    hurry: () => gathering?.hurry(),
    async settled() {
      // Each of both is of what was noted by now: later changes are in later rounds.
      await urgentDone;
      gathering?.hurry();
      await gatheredDone;
    },
  };
}
