/**
 * One range of a sweep: its vaults in the order of their ids, page by page, several in parallel. A worker that reaches
 * its deadline stores its position, and a message continues there. A worker that dies leaves a short lock and that
 * position. The next sweep continues there, and then starts again.
 */
import pLimit from 'p-limit';
import { defined } from '../base/defined.ts';
import { describeError } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import type { EpochMs } from '../base/time.ts';
import type { ShownStatus } from '../base/vocabulary.ts';
import { type HeldLock, renewLock, type WorkTicket } from '../base/workLock.ts';
import type { VaultBindings, VaultPage } from '../watch/ports.ts';
import { currentStatusOfKey } from '../watch/verdictTimes.ts';
import type { VaultWorkDeps } from './deps.ts';
import { restoreLost } from './lostBindings.ts';
import type { RangePass, RangeState } from './ports.ts';
import { type RangeWork, rangeOf } from './ranges.ts';
import { type SweptVault, sweepVault } from './sweepVault.ts';

const vaultsAtOnce = 16;
/** Rows of bindings. */
const rowsPerPage = 256;
/** How long the work of one message lasts; functionTimeout in host.json is far longer. */
const workMs = 120_000;
/** Digits of a binding's id. */
const digits = 8;
/** Bindings that a pass notes: their digits, twice, stay far below the 1 MiB of a row. */
const maxNoted = 10_000;
/**
 * How long the lock of a dead worker lasts: less than a sweep's period, so that the next sweep finds the range free.
 */
const leaseMs = 30_000;

/** The state of one worker. */
interface RangeWorker extends HeldLock {
  readonly work: RangeWork;
  readonly deps: VaultWorkDeps;
  readonly until: EpochMs;
  readonly last: RangeState['last'];
}

export const lockOf = ({ range, of }: RangeWork): string => `range-${of}-${range}`;

/** Returns at once when another worker processes the range. */
export async function sweepRange(work: RangeWork, given: VaultWorkDeps): Promise<void> {
  const deps = { ...given, trigger: { trigger: 'sweep' } as const };
  const { clock, vaults, queue, ranges } = deps;
  const now = clock.now();
  const first = await vaults.page(rangeOf(work), rowsPerPage);
  // Most ranges of a small installation are empty, and cost two reads a sweep.
  if (first.vaults.length === 0 && (await ranges.read(work)).last?.vaults === 0) return;
  const ticket = await vaults.beginWork(lockOf(work), leaseMs);
  if (ticket === undefined) return;
  let held: WorkTicket | undefined = ticket;
  let isOver = false;
  try {
    const { pass, last } = await ranges.read(work);
    const worker: RangeWorker = { work, deps, last, ticket, renewedAt: now, until: now + workMs };
    isOver = await (pass === undefined ? sweepFrom(newPass(now), worker, first) : sweepFrom(pass, worker));
    // Another message had started the pass. Sweeps have run since then, and its first vaults are due again.
    if (isOver && pass !== undefined) isOver = await sweepFrom(newPass(clock.now()), worker);
    held = worker.ticket;
  } finally {
    if (held !== undefined) await vaults.endWork(lockOf(work), held);
  }
  if (!isOver && held !== undefined) await queue.send(work);
}

export const noKeys: RangePass['keys'] = { Accessible: 0, Suspect: 0, Inaccessible: 0, Unreachable: 0, Unknown: 0 };

const newPass = (beganAt: EpochMs): RangePass => ({
  beganAt,
  vaults: 0,
  bindings: [],
  failed: 0,
  keys: noKeys,
});

/** Returns whether the pass is complete. */
async function sweepFrom(began: RangePass, worker: RangeWorker, first?: VaultPage): Promise<boolean> {
  const { work, deps, last } = worker;
  let pass = began;
  for (let known = first; ; known = undefined) {
    const page = known ?? (await deps.vaults.page(rangeOf(work), rowsPerPage, pass.after));
    const swept = await sweepPage(page.vaults, worker);
    pass = swept.reduce((before, vault) => withVault(before, vault, worker), pass);
    if (worker.ticket === undefined) return false;
    const isWhole = swept.length === page.vaults.length;
    if (isWhole && page.next === undefined) break;
    await deps.ranges.write(work, { pass, ...defined({ last }) });
    if (!isWhole) return false;
  }
  await endPass(pass, worker);
  return true;
}

async function endPass({ after: _over, ...pass }: RangePass, { work, deps, last }: RangeWorker): Promise<void> {
  const endedAt = deps.clock.now();
  const found = new Set(pass.bindings);
  const isWhole = pass.bindings.length <= maxNoted;
  const lost = isWhole ? (last?.bindings.filter((binding) => !found.has(binding)) ?? []) : [];
  if (lost.length > 0) await restoreLost(lost, deps);
  await deps.ranges.write(work, { last: { ...pass, bindings: isWhole ? pass.bindings : [], endedAt } });
  measure(deps.log, 'keyward.ranges.ms', endedAt - pass.beganAt, {});
  if (pass.oldestLookAt !== undefined) measure(deps.log, 'keyward.looks.oldest.ms', endedAt - pass.oldestLookAt, {});
}

type Swept = SweptVault & VaultBindings;

/** The vaults that were started before the deadline, in order. The others are left. */
async function sweepPage(vaults: readonly VaultBindings[], worker: RangeWorker): Promise<Swept[]> {
  const { work, deps, until } = worker;
  const isInTime = async () => (await renewLock(worker, lockOf(work), leaseMs, deps)) && deps.clock.now() < until;
  const swept = await pLimit(vaultsAtOnce).map(vaults, async (vault): Promise<Swept | undefined> => {
    if (!(await isInTime())) return undefined;
    return { ...(await sweepSafely(vault, isInTime, deps)), ...vault };
  });
  const end = swept.indexOf(undefined);
  return (end === -1 ? swept : swept.slice(0, end)).filter((one) => one !== undefined);
}

/** A failure of one vault does not stop the others. */
async function sweepSafely(
  vault: VaultBindings,
  isInTime: () => Promise<boolean>,
  deps: VaultWorkDeps,
): Promise<SweptVault> {
  try {
    return await sweepVault(vault, isInTime, deps);
  } catch (error) {
    deps.log.error('Work on a vault failed', { vault: vault.id, error: describeError(error) });
    return { watches: [], failed: vault.bindings.length };
  }
}

/**
 * A binding whose work failed counts with the age that the last pass found for its range, so that unknown bindings do
 * not look recent.
 */
function withVault(
  pass: RangePass,
  { id, bindings, watches, failed }: Swept,
  { last, deps: { clock, policy } }: RangeWorker,
): RangePass {
  const keys: Record<ShownStatus, number> = { ...pass.keys, Unknown: pass.keys.Unknown + failed };
  for (const watch of watches) keys[currentStatusOfKey(watch, clock.now(), policy)] += 1;
  const unknown = failed === 0 ? [] : [last?.oldestLookAt ?? pass.beganAt];
  const known = pass.oldestLookAt === undefined ? [] : [pass.oldestLookAt];
  const looks = [...known, ...unknown, ...watches.map(({ lastLookAt }) => lastLookAt)];
  return {
    ...pass,
    after: id,
    vaults: pass.vaults + 1,
    bindings: [...pass.bindings, ...bindings.map((bindingId) => bindingId.slice(0, digits))].slice(0, maxNoted + 1),
    failed: pass.failed + failed,
    keys,
    ...defined({ oldestLookAt: looks.length === 0 ? undefined : Math.min(...looks) }),
  };
}
