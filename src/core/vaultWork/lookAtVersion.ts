/** The look at one version of a key: it tries accounts until the vault has answered for the key. */

import { type ActiveAccount, isWrappedBy } from '../accounts/account.ts';
import { hex, sha256, utf8 } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import type { EpochMs } from '../base/time.ts';
import { type BoundRow, boundAccounts, staleRowMs } from '../watch/boundAccounts.ts';
import type { LookSample } from '../watch/sample.ts';
import type { Evidence, Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import type { LookRound } from './lookRound.ts';
import { type LookedAt, lookWith } from './lookWith.ts';
import { readIfWhole } from './restoreWatch.ts';

/** The results of the samples of one version, and where the next look continues. */
interface VersionLook {
  readonly seen: Evidence | 'unused';
  readonly samplesAfter?: string;
  /** The account whose record was read, and whose key the vault has opened. */
  readonly opened?: Sample;
}

/** A vault answers a sample quickly, and a sample that cannot be opened here costs a read. */
const maxVaultCalls = 20;

const maxSamples = 500;

/**
 * Looks with the wrapped keys of one account after another until the vault has answered for the key: wrong bytes of one
 * account say nothing about the key. A look that reaches its limits continues with the next account at the next look,
 * so that no number of wrong rows hides the key.
 */
export async function lookAtVersion(
  watch: Watch,
  version: string,
  takenAt: EpochMs,
  round: LookRound,
  deps: VaultWorkDeps,
  usable: LookSample | undefined,
): Promise<VersionLook> {
  const { clock, policy, wrongSamples } = deps;
  // All evidence of a look has the time of its start. So the next look, which is planned from that time, is late enough
  // to count.
  const about = { bindingId: watch.binding.id, version, takenAt, afterLooks: watch.lookCount };
  if (round.unreachableCause !== undefined) return { seen: { ...about, cause: round.unreachableCause } };
  const until = clock.monotonic() + policy.lookDeadlineSeconds * 1000;
  if (usable !== undefined) {
    const { isAboutKey, isCalled: _, ...shown } = await lookWith(accountOf(usable, watch), watch, about, round, deps);
    if (isAboutKey) return { seen: { ...about, ...shown } };
  }
  let seen: Evidence | 'unused' = 'unused';
  let samplesAfter = watch.samplesAfter?.[version];
  let [samples, calls] = [0, 0];
  for await (const sample of samplesOf(watch, version, deps)) {
    const { record, row } = sample;
    const id = sampleId(record);
    samples += 1;
    if (!wrongSamples.has(id)) {
      const { isAboutKey, isCalled, ...shown } = await lookWith(record, watch, about, round, deps);
      const opened = shown.cause === undefined ? sample : undefined;
      if (isAboutKey) return { seen: { ...about, ...shown }, ...defined({ samplesAfter, opened }) };
      // The vault itself can cause wrong bytes. A sample that fails before the call stays wrong.
      if (isCalled) calls += 1;
      else wrongSamples.set(id, row.position);
    }
    seen = { ...about, cause: 'KeyMaterialMismatch' };
    samplesAfter = row.position;
    if (samples === maxSamples || calls === maxVaultCalls || clock.monotonic() > until) break;
  }
  return { seen, ...defined({ samplesAfter }) };
}

/** The same account with another wrapped key is another sample. */
const sampleId = ({ instanceId, wrappedAccountKey }: ActiveAccount): string =>
  `${instanceId} ${hex(sha256(utf8(wrappedAccountKey)))}`;

/** The account of the sample, as far as a look needs its record. */
const accountOf = ({ version, ...account }: LookSample, { binding }: Watch): LookedAt => ({
  ...account,
  encryption: { type: 'CustomerKey', binding, version },
});

export interface Sample {
  readonly record: ActiveAccount;
  readonly row: BoundRow;
}

/**
 * The accounts that this version really wraps, starting after those that the last look found wrong. Rows are hints, and
 * the record decides. A surplus row is skipped, and a damaged record stops no other.
 */
async function* samplesOf(watch: Watch, version: string, deps: VaultWorkDeps): AsyncGenerator<Sample> {
  const bindingId = watch.binding.id;
  const from = watch.samplesAfter?.[version];
  const parts = from === undefined ? [{}] : [{ from }, { until: from }];
  for (const { until, ...wanted } of parts as { from?: string; until?: string }[]) {
    for await (const row of boundAccounts(bindingId, { version, ...wanted }, deps)) {
      const stored = await readIfWhole(row.value.name, deps);
      if (stored === 'damaged') continue;
      const record = stored?.value;
      if (record?.lifecycle === 'active' && isWrappedBy(record, bindingId, version)) yield { record, row };
      else if (row.ageMs > staleRowMs) await deps.bindings.removeAccount(bindingId, row);
      if (row.position === until) return;
    }
  }
}
