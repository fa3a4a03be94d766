/**
 * Once a day, verifies every chain: of all account instances, also of deleted ones, of all bindings, and of the
 * service. A message verifies some chains, signs a checkpoint of their heads, and stores how far it came (INV-15). Each
 * chain is also compared with its head of the run before, so a chain that was cut together with its head, brought back
 * to an older state, or removed is found (INV-13).
 */
import type { ChainHead } from '../audit/auditEntry.ts';
import { accountChain, bindingChain, type Chain, ownChain } from '../audit/chains.ts';
import { serviceChain } from '../audit/serviceAudit.ts';
import { type Verification, verifyChain } from '../audit/verifyChain.ts';
import { defined } from '../base/defined.ts';
import { LostRace, Refusal } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import { accountNamePattern, fold } from '../base/names.ts';
import type { EpochMs } from '../base/time.ts';
import { type ChainHeadOf, checkpointClaims, checkpointType, hashOfCheckpoint } from './checkpoint.ts';
import type { AttestationDeps } from './deps.ts';
import type { BrokenChain, VerificationRun, VerificationState } from './ports.ts';

const hourMs = 3_600_000;
/** The timer runs once a day. An earlier message finds nothing due. */
const dueAfterMs = 20 * hourMs;
/** The alert on a verification that does not finish. */
const verificationLateMs = 36 * hourMs;
const keepCheckpointsMs = 30 * 24 * hourMs;
/** A page of heads is one row, and the token of one checkpoint. */
const chainsPerCheckpoint = 100;
/** The same number as the vaults that a worker of the sweep looks at in parallel. */
const partitionsAtOnce = 16;
const messageMs = 60_000;
const maxNamedBroken = 50;
const following = { accounts: 'bindings', bindings: 'service', service: undefined } as const;

/** Returns true when more is left: the caller sends another message. @throws Unavailable */
export async function verifyAllChains(deps: AttestationDeps): Promise<boolean> {
  const { verifications, clock, log } = deps;
  const stored = await verifications.read();
  const before = stored?.value ?? {};
  let run = before.run ?? nextRun(before, clock.now());
  if (run === undefined) return false;
  const until = clock.monotonic() + messageMs;
  // Read once for all chains of the message: a new generation is stored minutes before an entry is under it.
  const rings = await deps.rings('fresh');
  const held = { ...deps, rings: async () => rings };
  // Only chains of the last page are verified again when two processes work at the same time: the loser stops here.
  try {
    for (let etag = stored?.etag; ; ) {
      const { reached, isDone } = await nextPage(run, until, held);
      if (isDone) {
        const finished = await withMissing(reached, deps);
        await verifications.save({ last: resultOf(finished, clock.now()) }, etag);
        await verifications.removeCheckpoints(clock.now() - keepCheckpointsMs);
        log.info('Verified all audit chains', { count: finished.chains, found: finished.brokenCount });
        return false;
      }
      etag = await verifications.save({ ...before, run: reached }, etag);
      if (clock.monotonic() >= until) return true;
      run = reached;
    }
  } catch (error) {
    if (error instanceof LostRace) return false;
    throw error;
  }
}

/** Chains for one checkpoint, with the checkpoint. */
async function nextPage(
  from: VerificationRun,
  until: number,
  deps: AttestationDeps,
): Promise<{ readonly reached: VerificationRun; readonly isDone: boolean }> {
  const heads: ChainHeadOf[] = [];
  let run: VerificationRun | undefined = from;
  let reached = from;
  while (run !== undefined && heads.length < chainsPerCheckpoint && deps.clock.monotonic() < until) {
    run = await step(run, heads, deps);
    reached = run ?? reached;
  }
  return { reached: await withCheckpoint(reached, heads, deps), isDone: run === undefined };
}

/** Called by the daily timer: logs the alert when runs do not finish. */
export async function reportLateVerification({ verifications, clock, log }: AttestationDeps): Promise<void> {
  const state = (await verifications.read())?.value;
  const since = state?.last?.finishedAt ?? state?.run?.startedAt;
  if (since !== undefined && clock.now() - since > verificationLateMs)
    log.error('The daily verification of the audit chains has not finished', { lateMs: clock.now() - since });
}

function nextRun({ last }: VerificationState, now: EpochMs): VerificationRun | undefined {
  if (last !== undefined && now >= last.startedAt && now - last.startedAt < dueAfterMs) return undefined;
  const none = { chains: 0, brokenCount: 0, broken: [], pages: 0, lastPage: '' } as const;
  return { startedAt: now, table: 'accounts', ...none };
}

/** Some partitions at the same time, each with all its chains. Undefined: the run is done. */
async function step(
  { partial, ...run }: VerificationRun,
  heads: ChainHeadOf[],
  deps: AttestationDeps,
): Promise<VerificationRun | undefined> {
  const partitions = await partitionsOf(run, deps);
  if (partitions.length === 0) {
    const { after: _, ...rest } = run;
    const table = following[run.table];
    return table === undefined ? undefined : { ...rest, table };
  }
  const results = await Promise.allSettled(
    partitions.map((partition, n) => verifyPartition(run.table, partition, n === 0 ? partial : undefined, deps)),
  );
  let now: VerificationRun = run;
  for (const [n, result] of results.entries()) {
    // Waits for all of them, so that none runs after the message has failed.
    if (result.status === 'rejected') throw result.reason;
    for (const { chain, seen } of result.value.chains) now = countChain(now, chain, seen, heads, deps);
    // The next message verifies the chains of the later partitions again.
    if (result.value.unfinished !== undefined) return { ...now, partial: result.value.unfinished };
    now = { ...now, after: partitions[n] ?? '' };
  }
  return now;
}

interface VerifiedPartition {
  readonly chains: readonly { readonly chain: Chain; readonly seen: Verification }[];
  readonly unfinished?: NonNullable<VerificationRun['partial']>;
}

async function verifyPartition(
  table: VerificationRun['table'],
  partition: string,
  partial: VerificationRun['partial'],
  deps: AttestationDeps,
): Promise<VerifiedPartition> {
  const chains: { chain: Chain; seen: Verification }[] = [];
  for (const chain of await chainsIn(table, partition, deps)) {
    if (partial !== undefined && chain.id < partial.chain) continue;
    const after = partial?.chain === chain.id ? partial.verified : undefined;
    const seen = await verifyOne(chain, after, deps);
    if (seen === undefined) continue;
    if (seen.result === 'unfinished') return { chains, unfinished: { chain: chain.id, verified: seen.verified } };
    chains.push({ chain, seen });
  }
  return { chains };
}

/** The next partitions of the table, in order. A query finds one partition: the first after the one before. */
async function partitionsOf({ table, after }: VerificationRun, { chainDirectory }: AttestationDeps): Promise<string[]> {
  if (table === 'service') return after === undefined ? [serviceChain] : [];
  const found: string[] = [];
  for (let last = after; found.length < partitionsAtOnce; ) {
    last = await chainDirectory.partitionAfter(table, last);
    if (last === undefined) break;
    found.push(last);
  }
  return found;
}

async function chainsIn(table: VerificationRun['table'], partition: string, deps: AttestationDeps): Promise<Chain[]> {
  if (table === 'service') return [ownChain(deps)];
  // Keyward writes no other partition keys: such a partition has no chain.
  if (fold(partition) !== partition) return [];
  if (table === 'bindings') return [bindingChain(partition, deps)];
  if (!accountNamePattern.test(partition)) return [];
  const ids = await deps.accounts.chains(partition);
  return Promise.all(ids.map((id) => accountChain(partition, id, deps)));
}

/** Undefined: there is no chain, only rows of another writer. */
async function verifyOne(chain: Chain, after: ChainHead | undefined, deps: AttestationDeps) {
  const known = await deps.verifications.verifiedHead(chain.id);
  const announced = known === undefined ? [] : [{ sequence: known.sequence, hash: known.hash }];
  try {
    return await verifyChain(chain, { after, announced }, deps);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function countChain(
  run: VerificationRun,
  { id: chain, account }: Chain,
  { broken, verified: head, result }: Verification,
  heads: ChainHeadOf[],
  { log }: Pick<AttestationDeps, 'log'>,
): VerificationRun {
  measure(log, 'keyward.chains', 1, { result: result === 'whole' ? 'whole' : 'broken' });
  if (broken !== undefined)
    return { ...withBroken(run, { chain, ...defined({ account }), ...broken }), chains: run.chains + 1 };
  if (head.sequence > 0) heads.push({ chain, ...head });
  return { ...run, chains: run.chains + 1 };
}

const withBroken = (run: VerificationRun, one: BrokenChain): VerificationRun => ({
  ...run,
  brokenCount: run.brokenCount + 1,
  broken: run.broken.length < maxNamedBroken ? [...run.broken, one] : run.broken,
});

/** Chains that an earlier run verified and this run did not meet: all their entries are gone. */
async function withMissing(run: VerificationRun, { verifications, log }: AttestationDeps): Promise<VerificationRun> {
  // The result names only some broken chains, and a broken chain that it does not name is not missing.
  if (run.brokenCount > run.broken.length) return run;
  const known = new Set(run.broken.map(({ chain }) => chain));
  let after = run;
  for (const chain of await verifications.notVerifiedSince(run.startedAt, maxNamedBroken)) {
    if (known.has(chain)) continue;
    const broken = { chain, sequence: 1, flaw: 'Missing' } as const;
    log.error('Audit verification found a broken chain', broken);
    after = withBroken(after, broken);
  }
  return after;
}

async function withCheckpoint(
  run: VerificationRun,
  heads: readonly ChainHeadOf[],
  { verifications, statusKeys, clock, log }: AttestationDeps,
): Promise<VerificationRun> {
  if (heads.length === 0) return run;
  const verifiedAt = { at: run.startedAt };
  await Promise.all(
    heads.map(({ chain, sequence, hash }) => verifications.saveHead(chain, { sequence, hash, ...verifiedAt })),
  );
  const claims = checkpointClaims(run, heads, clock.now());
  const checkpoint = await statusKeys.sign(claims, checkpointType);
  await verifications.saveCheckpoint({ run: run.startedAt, page: claims.page, checkpoint });
  const lastPage = hashOfCheckpoint(checkpoint);
  // The log is outside the tables: a later reader compares the hash with the stored checkpoint.
  log.info('Signed a checkpoint of audit chains', { count: heads.length, sequence: claims.page, hash: lastPage });
  return { ...run, pages: claims.page, lastPage };
}

const resultOf = ({ startedAt, chains, brokenCount, broken }: VerificationRun, finishedAt: EpochMs) => ({
  startedAt,
  finishedAt,
  chains,
  brokenCount,
  broken,
});
