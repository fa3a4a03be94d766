/**
 * Keeps every KEK wrapped by the newest version of the operator's keys. A newer version adds a wrapping, proves it by a
 * remote unwrap, and only then deletes the older ones (INV-11). The KEK is the one in memory, which a remote unwrap has
 * opened before. So a new version costs one read of the key and one unwrap for each generation, for any number of
 * accounts. A version that violates a rule or fails the proof wraps nothing: the rings stay as they are, and Keyward
 * logs an error.
 */

import type { AuditFacts } from '../audit/auditFacts.ts';
import { recordForService } from '../audit/serviceAudit.ts';
import { defined } from '../base/defined.ts';
import { describeError } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import { type RingName, ringNames } from '../base/vocabulary.ts';
import { versionedIdentifier, versionlessIdentifier } from '../customerKey/keyIdentifier.ts';
import { brokenRules } from '../customerKey/keyRequirements.ts';
import type { KeyDescription, KeyRef } from '../customerKey/ports.ts';
import type { RingsDeps } from './deps.ts';
import { isWrappedBy, keyOf, type OperatorKeys, prove, wrapProven } from './kek.ts';
import { ringIn } from './ring.ts';
import { generationsOf, type RingRow, type StoredRing, type StoredRings } from './storedRing.ts';

const keyward = { kind: 'keyward', id: 'rings' } as const;
/** When a vault did not answer: with the next sweep. */
const retryMs = 60_000;

export const isCheckDue = ({ check }: StoredRings, { clock, policy }: Pick<RingsDeps, 'clock' | 'policy'>): boolean => {
  if (check === undefined) return true;
  const intervalMs = policy.versionCheckIntervalSeconds * 1000;
  return clock.now() - check.checkedAt >= (check.failed ? Math.min(retryMs, intervalMs) : intervalMs);
};

/** Reads the newest version of each of the operator's keys, and re-wraps the KEKs under an older one. */
export async function checkOperatorKeys(stored: StoredRings, deps: RingsDeps): Promise<void> {
  const checkedAt = deps.clock.now();
  let failed = false;
  for (const use of usesOf(deps.operatorKeys)) {
    try {
      failed = !(await followKey(use, stored, checkedAt, deps)) || failed;
    } catch (error) {
      failed = true;
      deps.log.error('A ring could not be re-wrapped', { key: nameOf(use.key), error: describeError(error) });
    }
  }
  await deps.ringStore.saveCheck({ checkedAt, failed });
}

/** One key, and the rings that it wraps. */
interface Use {
  readonly key: KeyRef;
  readonly role: RingRow['role'];
  readonly rings: readonly RingName[];
}

const usesOf = (keys: OperatorKeys): Use[] => [
  { key: keys.system, role: 'operator', rings: ['system'] },
  { key: keys.atRest, role: 'operator', rings: ['at-rest', 'audit'] },
  ...(keys.recovery === undefined ? [] : [{ key: keys.recovery, role: 'recovery', rings: ringNames } as const]),
];

const nameOf = (key: KeyRef): string => versionlessIdentifier(key);

/** False when the vault did not answer, or its answer proves nothing. */
async function followKey(use: Use, stored: StoredRings, now: EpochMs, deps: RingsDeps): Promise<boolean> {
  const { log } = deps;
  const answer = await deps.keyVault.describe(use.key);
  if (!answer.ok) {
    log.error('The operator vault did not answer, so new processes cannot start', {
      key: nameOf(use.key),
      cause: answer.cause,
      keyVaultRequestId: answer.observed.requestId,
    });
    return false;
  }
  const [broken] = brokenRules(answer.value, now);
  if (broken !== undefined) {
    const about = { key: versionedIdentifier(use.key, answer.value.version), cause: broken };
    log.error('The newest version of an operator key was refused and the rings stay on the earlier one', about);
    return true;
  }
  let areAllProven = true;
  for (const ring of use.rings) {
    for (const generation of generationsOf(stored.rings[ring])) {
      try {
        const isProven = await rewrap(ring, generation, stored.rings[ring], use, answer.value, deps);
        areAllProven = areAllProven && isProven;
      } catch (error) {
        // A failure of one generation must not stop the others.
        areAllProven = false;
        const about = { ring, generation, key: nameOf(use.key), error: describeError(error) };
        log.error('A ring could not be re-wrapped', about);
      }
    }
  }
  return areAllProven;
}

async function rewrap(
  ring: RingName,
  generation: number,
  stored: StoredRing,
  { key, role }: Use,
  description: KeyDescription,
  deps: RingsDeps,
): Promise<boolean> {
  const rows = stored.rows.filter((row) => row.generation === generation && row.role === role);
  const target = versionedIdentifier(key, description.version);
  const present = rows.find((row) => row.key === target);
  const older = rows.filter((row) => row.key !== target);
  if (present !== undefined && older.length === 0) return true;

  const rings = await deps.rings();
  const opened = ringIn(rings, ring);
  const kek = opened.kek(generation);
  // A wrapping of a process that died before it deleted the others is proven again.
  const proven =
    present === undefined
      ? await wrapProven(ring, kek, key, description, deps.keyVault)
      : await prove(present, kek, key, deps.keyVault);
  const about = { ring, generation, key: target };
  if (!proven.ok) {
    const cause = { ...about, cause: proven.cause, keyVaultRequestId: proven.observed.requestId };
    deps.log.error('A ring could not be wrapped with the newest key version and stays on the earlier one', cause);
    return false;
  }
  const link = stored.rows.find((row) => row.generation === generation)?.link;
  const linked = link === undefined ? {} : { link };
  if (proven.value !== true)
    await deps.ringStore.insert({ ...proven.value, ...linked, role, isFirst: false, createdAt: deps.clock.now() }, kek);
  const isRestored = role === 'operator' && opened.isRestored(generation) && !rows.some((row) => isWrappedBy(row, key));
  const { requestId } = proven.observed;
  const fact: AuditFacts = {
    type: isRestored ? 'RingRestored' : 'RingRewrapped',
    actor: keyward,
    ring: `${ring}/${generation}`,
    key: target,
    before: older.map((row) => row.key).join(' ') || 'none',
    ...defined({ keyVaultRequestId: requestId }),
  };
  await recordForService([fact], deps);
  for (const row of older) await deps.ringStore.remove(row);
  deps.log.info('A ring was re-wrapped', { ...about, role });
  return true;
}

/** Whether every configured key wraps the generation. */
export const isFullyWrapped = (ring: RingName, generation: number, { rows }: StoredRing, keys: OperatorKeys): boolean =>
  [keyOf(ring, keys), keys.recovery].every(
    (key) => key === undefined || rows.some((row) => row.generation === generation && isWrappedBy(row, key)),
  );
