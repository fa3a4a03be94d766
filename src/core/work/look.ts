/**
 * A look: one remote unwrap of a real wrapped account key for each version of a binding that still wraps somebody, however
 * many accounts share it. What it showed is evidence for the watch, and for nothing else (INV-7).
 */
import type { ActiveAccount } from '../account.ts';
import { openAccountKey } from '../accountKeys.ts';
import { wipe } from '../bytes.ts';
import type { Cause } from '../causes.ts';
import { LostRace } from '../errors.ts';
import { isDenying, type Policy } from '../policy.ts';
import type { Stored } from '../ports.ts';
import type { Service } from '../service.ts';
import type { EpochMs } from '../time.ts';
import { type Evidence, observe, type Watch } from '../watch.ts';
import { updateWatch } from '../watching.ts';
import { boundAccounts, isAnyBound, staleRowMs } from './boundAccounts.ts';

/** What the looks of one round at a vault have in common: a vault that does not answer is asked once for all its keys. */
export interface Round {
  silence?: Cause;
}

/** Looks at every version in use, and records what was seen. */
export async function lookAtBinding(stored: Stored<Watch>, round: Round, service: Service): Promise<Stored<Watch>> {
  const watch = stored.value;
  const began = service.clock.now();
  const evidence: Evidence[] = [];
  const unused: string[] = [];
  for (const version of Object.keys(watch.versions)) {
    const seen = await lookAtVersion(watch, version, round, service);
    if (seen === 'unused') unused.push(version);
    else evidence.push(seen);
  }
  if (evidence.some((one) => one.cause === 'KeyMaterialMismatch'))
    service.log.error('A wrapped account key does not open to what its record names', { bindingId: watch.binding.id });
  const observed = await updateWatch(stored, (before) => afterLook(before, evidence, began, service.policy), service);
  return unused.length === 0 ? observed : withoutUnused(observed, unused, service);
}

function afterLook(watch: Watch, evidence: readonly Evidence[], began: EpochMs, policy: Policy): Watch {
  if (evidence.length === 0) return { ...watch, nextLookAt: began + policy.lookIntervalHealthySeconds * 1000 };
  return evidence.reduce((seen, one) => observe(seen, one, policy), watch);
}

async function lookAtVersion(
  watch: Watch,
  version: string,
  round: Round,
  service: Service,
): Promise<Evidence | 'unused'> {
  const { binding } = watch;
  const about = { bindingId: binding.id, version };
  if (round.silence !== undefined) return { ...about, takenAt: service.clock.now(), cause: round.silence };
  const sample = await sampleOf(watch, version, service);
  if (sample === undefined) return 'unused';
  const takenAt = service.clock.now();
  const opened = await openAccountKey(sample, service);
  if (opened.ok) wipe(opened.value);
  const cause = opened.ok ? undefined : opened.cause;
  if (cause !== undefined && silences.has(cause)) round.silence = cause;
  const controlLook =
    cause !== undefined && isDenying(cause, service.policy) ? await service.controlLook(binding) : undefined;
  const { requestId: keyVaultRequestId, durationMs } = opened.observed;
  service.log.info('Looked at a key', { ...about, cause: cause ?? 'none', controlLook, keyVaultRequestId, durationMs });
  return {
    ...about,
    takenAt,
    ...(cause === undefined ? {} : { cause }),
    ...(controlLook === undefined ? {} : { controlLook }),
  };
}

/** Causes that speak of the vault or the way to it, not of a key: asking for its next key would only wait, or burden, again. */
const silences: ReadonlySet<Cause> = new Set([
  'Throttled',
  'VaultTimeout',
  'ConnectionFailed',
  'DnsFailure',
  'TlsFailure',
]);

/** An account that this version really wraps. Rows are hints: the record decides, and a row that misleads is passed by. */
async function sampleOf(watch: Watch, version: string, service: Service): Promise<ActiveAccount | undefined> {
  const bindingId = watch.binding.id;
  for await (const row of boundAccounts(bindingId, { version }, service)) {
    const stored = await service.accounts.read(row.value.name);
    if (stored?.value.lifecycle === 'active' && isWrappedBy(stored.value, bindingId, version)) return stored.value;
    if (service.clock.now() - row.writtenAt > staleRowMs) await service.bindings.removeAccount(bindingId, row);
  }
  return undefined;
}

function isWrappedBy({ encryption }: ActiveAccount, bindingId: string, version: string): boolean {
  return encryption.type === 'CustomerKey' && encryption.binding.id === bindingId && encryption.version === version;
}

/**
 * A version that wraps nobody leaves the watch, once no row names it. A row is put down before its version is made known to the
 * watch, so whoever moves onto the version meanwhile changes the watch, and this write loses the race.
 */
async function withoutUnused(
  stored: Stored<Watch>,
  unused: readonly string[],
  service: Service,
): Promise<Stored<Watch>> {
  const { binding, versions } = stored.value;
  const gone: string[] = [];
  for (const version of unused) {
    if (!(await isAnyBound(binding.id, version, service))) gone.push(version);
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
