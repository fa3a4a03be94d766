/**
 * Runs the rows: all of them in parallel in one laboratory, each on a vault and an account of its own. Rows that affect
 * every vault follow, one by one.
 *
 *   settle ─▶ inject ─▶ looks 1, 2, 3 ─▶ 10 minutes ─▶ end ─▶ one more minute      (a few: 20 minutes)
 *
 * Faults begin a second after the looks of a sweep, so the first look that can see one is as late as possible.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { stateOf, verdictOn } from '../../core/accounts/account.ts';
import type { Cause } from '../../core/base/causes.ts';
import { defined } from '../../core/base/defined.ts';
import type { EpochMs } from '../../core/base/time.ts';
import { bindingEntries } from '../entries.ts';
import type { LabOptions } from '../lab/lab.ts';
import { createPump, idOf, type Pump, stuckWork } from './pump.ts';
import type { Row } from './row.ts';
import {
  accountAcrossTenants,
  accountWithOwnIdentity,
  openWorld,
  patiently,
  tokensForgottenMs,
  type World,
} from './world.ts';

/** What Keyward did, from the account's own interface and the audit of its watch. */
export interface Outcome {
  readonly row: Row;
  readonly cause?: Cause;
  readonly after1?: string;
  readonly after2?: string;
  readonly after3?: string;
  readonly afterTenMinutes?: string;
  readonly afterTwentyMinutes?: string;
  readonly afterEnd?: string;
  /** Seconds from the beginning of the fault until every account of the key was blocked. */
  readonly refusedAfterSeconds?: number;
  /** Seconds from the end of the fault until the key was accessible again. */
  readonly restoredAfterSeconds?: number;
  readonly wrongDisable: boolean;
  readonly missedDisable: boolean;
  /** The differences from the expectation; empty when the row is right. */
  readonly differences: readonly string[];
}

export interface RunOptions extends LabOptions {
  readonly onProgress?: (text: string) => void;
}

const second = 1000;
const minute = 60 * second;
const setUpAtATime = 4;

/** The state of one running row. */
interface Course {
  readonly row: Row;
  readonly vault: string;
  bindingId: string;
  beganAt: EpochMs;
  endedAt: EpochMs;
  looks: number;
  seen: Partial<Record<'after1' | 'after2' | 'after3' | 'afterTenMinutes' | 'afterTwentyMinutes' | 'afterEnd', string>>;
  cause?: Cause;
}

export async function runMatrix(rows: readonly Row[], options: RunOptions = {}): Promise<Outcome[]> {
  const world = await openWorld(options);
  try {
    return await runIn(world, rows, options.onProgress ?? (() => undefined));
  } finally {
    await world.stop();
  }
}

async function runIn(world: World, rows: readonly Row[], report: (text: string) => void): Promise<Outcome[]> {
  const pump = createPump(world.lab);
  const courses = rows.map((row, index): Course => {
    return { row, vault: `row-${index + 1}`, bindingId: '', beganAt: 0, endedAt: 0, looks: 0, seen: {} };
  });
  const together = courses.filter(({ row }) => row.alone === undefined);
  const alone = courses.filter(({ row }) => row.alone);
  if (together.length > 0) await runTogether(together, world, pump, report);
  for (const course of alone) {
    report(`alone: ${course.row.name}`);
    await runTogether([course], world, pump, () => undefined);
  }
  return Promise.all(courses.map((course) => outcomeOf(course, world, pump.stuck)));
}

async function runTogether(
  courses: readonly Course[],
  world: World,
  pump: Pump,
  report: (text: string) => void,
): Promise<void> {
  const { clock } = world.lab;
  const limit = pLimit(setUpAtATime);
  report(`${courses.length} vaults and accounts`);
  await Promise.all(courses.map((course) => limit(() => setUp(course, world))));
  await pump.advancePastSweep();
  const expectAll = async () => {
    for (const course of courses) await expectAccessible(course, world);
  };
  // On a busy machine a look of the set-up can pass its deadline. The next sweep looks again.
  await expectAll().catch(() => pump.advancePastSweep().then(expectAll));
  if (courses.some(({ row }) => row.ownIdentity || row.acrossTenants)) await sleep(tokensForgottenMs);

  report('faults begin');
  for (const course of courses) {
    await course.row.inject(world, course.vault);
    course.beganAt = clock.now();
  }
  const follow = lookFollower(courses, world);
  for (let passed = 1; passed <= 10; passed++) {
    await pump.advance(minute, follow);
    report(`minute ${passed}`);
  }
  const [short, long] = [false, true].map((isLong) =>
    courses.filter(({ row }) => (row.expect.afterTwentyMinutes !== undefined) === isLong),
  ) as [Course[], Course[]];
  for (const course of courses) await sample(course, 'afterTenMinutes', world);
  await finish(short, world, pump, follow);
  report('faults end');
  if (long.length === 0) return;
  await pump.advance(9 * minute, follow);
  report('minute 20');
  for (const course of long) await sample(course, 'afterTwentyMinutes', world);
  await finish(long, world, pump, follow);
}

async function setUp({ row, vault }: Course, world: World): Promise<void> {
  if (row.acrossTenants) return accountAcrossTenants(world, vault);
  const key = await world.lab.vaultWithKey(vault, row.vault);
  await patiently<unknown>(() =>
    row.ownIdentity ? accountWithOwnIdentity(world, vault, key) : world.lab.account(vault, vault, key),
  );
}

async function expectAccessible(course: Course, { lab }: World): Promise<void> {
  const view = await lab.view(course.vault);
  const verdict = verdictOn(view);
  course.bindingId = view.watch?.binding.id ?? '';
  if (verdict?.status === 'Accessible') return;
  throw new Error(`Before its fault, "${course.row.name}" is ${verdict?.status} ${verdict?.cause ?? ''}`);
}

/** Counts each row's looks in the log, those of one moment as one, and stores the result of the first three. */
function lookFollower(courses: readonly Course[], world: World): () => Promise<void> {
  const byAccount = new Map(courses.map((course) => [course.vault, course]));
  let read = world.lab.log.length;
  return async () => {
    const lines = world.lab.log.slice(read);
    read = world.lab.log.length;
    const looked = new Set(
      lines.filter(({ message }) => message === 'Checked a key').map(({ fields }) => fields.account),
    );
    for (const account of looked) {
      const course = byAccount.get(String(account));
      if (course === undefined || course.endedAt > 0) continue;
      course.looks += 1;
      if (course.looks <= 3) await sample(course, `after${course.looks as 1 | 2 | 3}`, world);
    }
  };
}

async function sample(course: Course, when: keyof Course['seen'], { lab }: World): Promise<void> {
  const view = await lab.view(course.vault);
  const verdict = verdictOn(view);
  course.seen[when] = `${stateOf(view)} ${verdict?.status}`;
  // The cause of the last look under the fault, which is the cause of the confirmed verdict.
  if (when === 'afterEnd') return;
  if (verdict?.cause === undefined) delete course.cause;
  else course.cause = verdict.cause;
}

async function finish(
  courses: readonly Course[],
  world: World,
  pump: Pump,
  follow: () => Promise<void>,
): Promise<void> {
  for (const course of courses) {
    await course.row.end(world, course.vault);
    course.endedAt = world.lab.clock.now();
  }
  await pump.advance(minute, follow);
  for (const course of courses) {
    await sample(course, 'afterEnd', world);
    pump.retire(course.vault);
  }
}

async function outcomeOf(course: Course, { lab }: World, stuck: readonly string[]): Promise<Outcome> {
  const { row, vault, seen, cause, bindingId, beganAt, endedAt } = course;
  const changes = (await bindingEntries(bindingId, lab.service))
    .filter(({ type }) => type === 'VerdictChanged')
    .map(({ at, after }) => ({ at: Date.parse(at), after }));
  const refusedAt = changes.find(({ at, after }) => at > beganAt && after === 'Inaccessible')?.at;
  const restoredAt = changes.find(({ at, after }) => at > endedAt && after === 'Accessible')?.at;
  const differences = [
    ...differencesOf({ ...seen, ...defined({ cause }) }, row.expect),
    ...(stuck.includes(idOf(vault)) ? [stuckWork] : []),
  ];
  const shouldRefuse = Object.values(row.expect).some((state) => state.includes('Inaccessible'));
  return {
    row,
    ...seen,
    ...defined({ cause }),
    ...(refusedAt === undefined ? {} : { refusedAfterSeconds: (refusedAt - beganAt) / second }),
    ...(restoredAt === undefined ? {} : { restoredAfterSeconds: (restoredAt - endedAt) / second }),
    wrongDisable: refusedAt !== undefined && !shouldRefuse,
    missedDisable: shouldRefuse && (refusedAt === undefined || refusedAt > endedAt),
    differences,
  };
}

function differencesOf(seen: Partial<Row['expect']>, expected: Row['expect']): string[] {
  const fields = ['cause', 'after1', 'after2', 'after3', 'afterTenMinutes', 'afterTwentyMinutes', 'afterEnd'] as const;
  return fields
    .filter((field) => seen[field] !== expected[field])
    .map((field) => `${field}: expected ${expected[field] ?? 'nothing'}, saw ${seen[field] ?? 'nothing'}`);
}
