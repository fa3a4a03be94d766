/**
 * The progress of the passes that run for hours in a large service: the verification of all audit chains, and the pass
 * of a ring's rotation. Each pass stores its progress, and its end is estimated from that.
 */
import type { VerificationRun, VerificationStore } from './attestation/ports.ts';
import { defined } from './base/defined.ts';
import type { EpochMs } from './base/time.ts';
import { type RingName, ringNames } from './base/vocabulary.ts';
import { expectedEnd } from './dailyProgress.ts';
import type { IndexedCounts } from './overview/ports.ts';
import type { RingStore } from './rings/ports.ts';
import type { RingRotation } from './rings/storedRing.ts';

export interface PassProgress {
  readonly name: 'auditVerification' | 'ringRotation';
  readonly ring?: RingName;
  readonly startedAt: EpochMs;
  /** Chains that are verified, or accounts that this round of the ring's pass has processed. */
  readonly done: number;
  /**
   * The number of chains at the last verification, or the number of accounts in the overview. Absent when it is not
   * known.
   */
  readonly of?: number;
  /** The estimate assumes that the pass keeps its speed. */
  readonly expectedEndAt?: EpochMs;
}

interface ProgressDeps {
  readonly verifications: Pick<VerificationStore, 'read'>;
  readonly ringStore: Pick<RingStore, 'read'>;
  readonly overviewIndex: Pick<IndexedCounts, 'counts'>;
  readonly clock: { now(): EpochMs };
}

/** Two reads, and one more while a ring's pass runs. */
export async function passesNow(deps: ProgressDeps): Promise<PassProgress[]> {
  const { verifications, ringStore, overviewIndex, clock } = deps;
  const [verification, { rings }] = await Promise.all([verifications.read(), ringStore.read()]);
  const { run, last } = verification?.value ?? {};
  const rotations = ringNames.flatMap((ring) => {
    const rotation = rings[ring].state?.value.rotation;
    return rotation?.pass === undefined ? [] : [{ ring, pass: rotation.pass }];
  });
  const accounts = rotations.length === 0 ? undefined : (await overviewIndex.counts())?.value.accounts;
  const now = clock.now();
  return [
    ...(run === undefined ? [] : [ofVerification(run, last?.chains, now)]),
    ...rotations.map(({ ring, pass }) => ({ ring, ...ofRing(pass, accounts, now) })),
  ];
}

const ofVerification = ({ startedAt, chains }: VerificationRun, of: number | undefined, now: EpochMs): PassProgress =>
  progressOf('auditVerification', startedAt, chains, of, now);

/** The rows of the tables, which the at-rest ring renews after the accounts, are not counted before they are read. */
const ofRing = (pass: NonNullable<RingRotation['pass']>, accounts: number | undefined, now: EpochMs): PassProgress =>
  progressOf('ringRotation', pass.startAt, pass.visited, pass.rows === undefined ? accounts : undefined, now);

function progressOf(
  name: PassProgress['name'],
  startedAt: EpochMs,
  done: number,
  of: number | undefined,
  now: EpochMs,
): PassProgress {
  const expectedEndAt = of === undefined ? undefined : expectedEnd(startedAt, done, of - done, now);
  return { name, startedAt, done, ...defined({ of, expectedEndAt }) };
}
