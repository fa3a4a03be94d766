/**
 * A look: one remote unwrap of a real wrapped account key for each version of a binding that still wraps one, for any
 * number of accounts that share it. The result is evidence for the watch, and for nothing else (INV-7).
 */
import pLimit from 'p-limit';
import { type ActiveAccount, isWrappedBy, type WrappedAccount, wrappedByOf } from '../accounts/account.ts';
import { openAccountKey } from '../accounts/accountKey.ts';
import { auditKeyUses, type KeyUse, recordingKeyVault } from '../accounts/keyUse.ts';
import { hex, sha256, utf8, wipe } from '../base/bytes.ts';
import type { Cause } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { LostRace } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import { isFederated } from '../customerKey/binding.ts';
import { type BoundRow, boundAccounts, isAnyBound, staleRowMs } from '../watch/boundAccounts.ts';
import { attributed, needsControlLook } from '../watch/judge.ts';
import { afterLook, afterSleep, duringLook } from '../watch/lookSchedule.ts';
import type { LookTime } from '../watch/provenTime.ts';
import { isPlain, type LookSample, type StoredSample, usableSample } from '../watch/sample.ts';
import { updateWatch } from '../watch/updateWatch.ts';
import type { Evidence, Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import { logKeyStatus } from './keyStatusLog.ts';
import { isOwnFault } from './ownIdentity.ts';
import { readIfWhole } from './restoreWatch.ts';

const keyward = { kind: 'keyward', id: 'look' } as const;

/**
 * The state that the looks of one round at a vault share. After a vault did not answer once, the round sends no more
 * calls for its other keys.
 */
export interface LookRound {
  silence?: Cause;
  /** Audited after the looks, so that no look waits for the audit of an account. */
  readonly used: { readonly record: UsedAccount; readonly uses: readonly KeyUse[] }[];
}

type UsedAccount = Pick<ActiveAccount, 'name' | 'instanceId' | 'owner' | 'auditKeyUse'>;

const tellAtOnce = 10;

/** `keep` runs after each entry, so that the worker holds its vault even when the tables answer slowly. */
export async function auditLooks(
  { used }: LookRound,
  service: VaultWorkDeps,
  keep?: () => Promise<unknown>,
): Promise<void> {
  const limit = pLimit(tellAtOnce);
  const tell = ({ record, uses }: (typeof used)[number]) =>
    limit(async () => {
      await auditKeyUses({ record, purpose: 'look', actor: keyward }, uses, service);
      await keep?.();
    });
  await Promise.all(used.splice(0).map(tell));
}

/**
 * Causes about the vault or the network: a call for the vault's next key would only wait, or burden the vault, again.
 */
const silences: ReadonlySet<Cause> = new Set([
  'Throttled',
  'VaultTimeout',
  'ConnectionFailed',
  'DnsFailure',
  'TlsFailure',
]);

/** What a sweep knows of the sample of a binding. The look uses it, or stores one. */
export interface SampleOfSweep {
  readonly stored: StoredSample | undefined;
}

/** Looks at every version in use, and records the results. Without `sample` it reads the records of accounts. */
export async function lookAtBinding(
  stored: Stored<Watch>,
  round: LookRound,
  service: VaultWorkDeps,
  sample?: SampleOfSweep,
): Promise<Stored<Watch>> {
  const watch = stored.value;
  const when: LookTime = {
    beganAt: service.clock.now(),
    plannedAt: watch.nextLookAt,
    process: service.processId,
    monotonic: service.clock.monotonic(),
  };
  const evidence: Evidence[] = [];
  const unused: string[] = [];
  const samplesAfter: Record<string, string> = {};
  const usable = usableSample(watch, sample?.stored);
  let opened: Sample | undefined;
  for (const version of Object.keys(watch.versions)) {
    const look = await lookAtVersion(watch, version, when.beganAt, round, service, usable);
    opened ??= look.opened;
    if (look.samplesAfter !== undefined) samplesAfter[version] = look.samplesAfter;
    if (look.seen === 'unused') unused.push(version);
    else evidence.push(look.seen);
  }
  if (evidence.length === 0) {
    if (sample?.stored !== undefined) await service.bindings.removeSample(watch.binding.id);
    const asleep = await updateWatch(stored, (before) => afterSleep(before, when, service.policy), service);
    return withoutUnused(asleep, unused, service);
  }
  const observed = await recordLook(stored, evidence, samplesAfter, when, service);
  if (sample !== undefined && opened !== undefined) await saveSample(observed.value, opened, service);
  logKeyStatus(stored.value, observed.value, round.used.at(-1)?.record.owner, service);
  for (const one of evidence) {
    const status = observed.value.versions[one.version]?.status;
    const cause = attributed(one, service.policy) ?? 'none';
    if (status !== undefined) measure(service.log, 'keyward.looks', 1, { status, cause });
  }
  return unused.length === 0 ? observed : withoutUnused(observed, unused, service);
}

/** Each changed verdict has an audit entry. A batch of the tables holds 100 rows, with the watch's own. */
const maxVerdictsAtOnce = 60;

async function recordLook(
  stored: Stored<Watch>,
  evidence: readonly Evidence[],
  samplesAfter: Readonly<Record<string, string>>,
  when: LookTime,
  service: VaultWorkDeps,
): Promise<Stored<Watch>> {
  let watch = stored;
  for (let from = 0; ; from += maxVerdictsAtOnce) {
    const slice = evidence.slice(from, from + maxVerdictsAtOnce);
    const isLast = from + slice.length === evidence.length;
    const decide = (before: Watch) =>
      isLast
        ? withSamples(afterLook(before, slice, when, service.policy), samplesAfter)
        : duringLook(before, slice, when, service.policy);
    watch = await updateWatch(watch, decide, service);
    if (isLast) return watch;
  }
}

function withSamples(watch: Watch, samplesAfter: Readonly<Record<string, string>>): Watch {
  const { samplesAfter: _before, ...rest } = watch;
  return Object.keys(samplesAfter).length === 0 ? rest : { ...rest, samplesAfter };
}

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
async function lookAtVersion(
  watch: Watch,
  version: string,
  takenAt: EpochMs,
  round: LookRound,
  service: VaultWorkDeps,
  usable: LookSample | undefined,
): Promise<VersionLook> {
  const { clock, policy, wrongSamples } = service;
  // All evidence of a look has the time of its start. So the next look, which is planned from that time, is late enough
  // to count.
  const about = { bindingId: watch.binding.id, version, takenAt, afterLooks: watch.lookCount };
  if (round.silence !== undefined) return { seen: { ...about, cause: round.silence } };
  const until = clock.monotonic() + policy.lookDeadlineSeconds * 1000;
  if (usable !== undefined) {
    const {
      isAboutKey,
      isCalled: _,
      ...shown
    } = await lookWith(accountOf(usable, watch), watch, about, round, service);
    if (isAboutKey) return { seen: { ...about, ...shown } };
  }
  let seen: Evidence | 'unused' = 'unused';
  let samplesAfter = watch.samplesAfter?.[version];
  let [samples, calls] = [0, 0];
  for await (const sample of samplesOf(watch, version, service)) {
    const { record, row } = sample;
    const id = sampleId(record);
    samples += 1;
    if (!wrongSamples.has(id)) {
      const { isAboutKey, isCalled, ...shown } = await lookWith(record, watch, about, round, service);
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

interface Sampled {
  /** False: the bytes of this account are wrong, which says nothing about the key. */
  readonly isAboutKey: boolean;
  /** The vault was called. */
  readonly isCalled: boolean;
}

/** The account of the sample, as far as a look needs its record. */
const accountOf = ({ version, ...account }: LookSample, { binding }: Watch): LookedAt => ({
  ...account,
  encryption: { type: 'CustomerKey', binding, version },
});

/** A copy of what was just read, unless the account changes at this time, or has every look in its own audit. */
async function saveSample(watch: Watch, { record, row }: Sample, { bindings }: VaultWorkDeps): Promise<void> {
  if (!isPlain(watch) || record.auditKeyUse === true) return;
  const { name, instanceId, owner, accountKeyGeneration, wrappedAccountKey } = record;
  const { version } = row.value;
  const sample = { version, name, instanceId, owner, accountKeyGeneration, wrappedAccountKey };
  try {
    await bindings.saveSample(watch.binding.id, sample, row);
  } catch (error) {
    if (!(error instanceof LostRace)) throw error;
  }
}

type LookedAt = WrappedAccount & UsedAccount;

async function lookWith(
  sample: LookedAt,
  watch: Watch,
  when: Pick<Evidence, 'version' | 'takenAt'>,
  round: LookRound,
  service: VaultWorkDeps,
): Promise<
  Pick<Evidence, 'cause' | 'controlLook' | 'keyVaultRequestId' | 'principal' | 'isUnnamed' | 'clientAddress'> & Sampled
> {
  const { log, policy } = service;
  const uses: KeyUse[] = [];
  const opened = await openAccountKey(sample, { ...service, keyVault: recordingKeyVault(service.keyVault, uses) });
  round.used.push({ record: sample, uses });
  const { requestId: keyVaultRequestId, durationMs, principal, isPrincipalAssumed, clientAddress } = opened.observed;
  const isNamed = principal !== undefined && isPrincipalAssumed === undefined;
  const isUnnamed = isNamed || isFederated(watch.binding.identity) ? undefined : true;
  const proof = defined({ keyVaultRequestId, principal, isUnnamed, clientAddress });
  const about = { account: sample.name, key: wrappedByOf(sample.encryption), keyVaultRequestId, durationMs };
  measure(log, 'keyward.looks.ms', durationMs, { cause: opened.ok ? 'none' : opened.cause });
  if (opened.ok) {
    wipe(opened.value);
    log.info('Checked a key', { ...about, cause: 'none' });
    return { ...proof, isAboutKey: true, isCalled: true };
  }
  if (silences.has(opened.cause)) round.silence = opened.cause;
  if (opened.cause === 'KeyMaterialMismatch')
    log.error('An account key does not match its record', { ...about, owner: sample.owner });
  const denied = { ...when, cause: opened.cause, ...proof };
  const cause = (await isOwnFault(watch, denied, sample.owner, service)) ? 'IdentityReplaced' : opened.cause;
  const controlLook = needsControlLook(cause, policy) ? await service.controlLook(watch.binding) : undefined;
  log.info('Checked a key', { ...about, cause, controlLook });
  const sampled = { isAboutKey: cause !== 'KeyMaterialMismatch', isCalled: opened.observed.status !== undefined };
  return { cause, ...defined({ controlLook }), ...proof, ...sampled };
}

interface Sample {
  readonly record: ActiveAccount;
  readonly row: BoundRow;
}

/**
 * The accounts that this version really wraps, starting after those that the last look found wrong. Rows are hints, and
 * the record decides. A surplus row is skipped, and a damaged record stops no other.
 */
async function* samplesOf(watch: Watch, version: string, service: VaultWorkDeps): AsyncGenerator<Sample> {
  const bindingId = watch.binding.id;
  const from = watch.samplesAfter?.[version];
  const parts = from === undefined ? [{}] : [{ from }, { until: from }];
  for (const { until, ...wanted } of parts as { from?: string; until?: string }[]) {
    for await (const row of boundAccounts(bindingId, { version, ...wanted }, service)) {
      const stored = await readIfWhole(row.value.name, service);
      if (stored === 'damaged') continue;
      const record = stored?.value;
      if (record?.lifecycle === 'active' && isWrappedBy(record, bindingId, version)) yield { record, row };
      else if (row.ageMs > staleRowMs) await service.bindings.removeAccount(bindingId, row);
      if (row.position === until) return;
    }
  }
}

/**
 * A version without accounts leaves the watch when no row names it. A row is stored before the watch learns its
 * version. So an account that changes to the version at the same time changes the watch, and this write loses the race.
 */
async function withoutUnused(
  stored: Stored<Watch>,
  unused: readonly string[],
  service: VaultWorkDeps,
): Promise<Stored<Watch>> {
  const { binding, versions } = stored.value;
  const gone: string[] = [];
  for (const version of unused) {
    if (!(await isAnyBound(binding.id, { version }, service))) gone.push(version);
  }
  const rest = Object.fromEntries(Object.entries(versions).filter(([version]) => !gone.includes(version)));
  if (gone.length === 0 || Object.keys(rest).length === 0) return stored;
  try {
    return await service.bindings.saveWatch({ value: { ...stored.value, versions: rest }, etag: stored.etag }, []);
  } catch (error) {
    if (error instanceof LostRace) return stored;
    throw error;
  }
}
