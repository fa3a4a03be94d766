/** The order in which a process writes the overview in the background. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createBackgroundWork } from '../../src/core/overview/backgroundWork.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const never = () => new Promise<void>(() => undefined);

test('a reader of the overview returns while changes come without a pause', async () => {
  const work = createBackgroundWork(never, log);
  let [changes, isRead] = [0, false];
  const change = async (): Promise<void> => {
    changes += 1;
    await turn();
    // Each change notes the next one before it ends.
    if (!isRead) work.atOnce('account', change);
    work.gathered('counts', async () => turn());
  };
  work.atOnce('account', change);
  await work.settled();
  isRead = true;
  expect(changes).toBeGreaterThan(0);
});

test('what was noted before a read is written when the read begins, and what gathers comes after it', async () => {
  const work = createBackgroundWork(never, log);
  const done: string[] = [];
  work.gathered('counts', async () => void done.push('counts'));
  work.atOnce('account:a', async () => {
    await turn();
    done.push('a');
    work.gathered('timeline', async () => void done.push('timeline'));
  });
  work.atOnce('account:b', async () => void done.push('first b'));
  work.atOnce('account:b', async () => void done.push('b'));
  await work.settled();
  expect(done).toEqual(['b', 'a', 'counts', 'timeline']);
});

test('a change that fails is logged, and stops no other', async () => {
  const lines: string[] = [];
  const work = createBackgroundWork(never, { ...log, warn: (message) => lines.push(message) });
  let isDone = false;
  work.atOnce('account:a', () => Promise.reject(new TypeError('x')));
  await work.settled();
  work.atOnce('account:b', async () => {
    isDone = true;
  });
  await work.settled();
  expect([isDone, lines]).toEqual([true, ['The overview was not updated']]);
});

test('what has gathered is written after a moment without a reader', async () => {
  const moment = Promise.withResolvers<void>();
  const work = createBackgroundWork(() => moment.promise, log);
  let writes = 0;
  const write = async () => {
    writes += 1;
  };
  for (let change = 0; change < 3; change++) {
    work.gathered('counts', write);
    await turn();
  }
  expect(writes).toBe(0);
  moment.resolve();
  await turn();
  expect(writes).toBe(1);
});
