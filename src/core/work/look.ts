/**
 * A look: one remote unwrap of a real wrapped account key for each version of a binding that still wraps somebody, however
 * many accounts share it. What it showed is evidence for the watch, and for nothing else (INV-7).
 */
import type { ActiveAccount } from '../account.ts';
import { openAccountKey } from '../accountKeys.ts';
import { wipe } from '../bytes.ts';
import { isDenied } from '../causes.ts';
import { retryLostRaces } from '../errors.ts';
import type { Service } from '../service.ts';
import { type Evidence, isLookDue, observe, type Watch } from '../watch.ts';
import { saveWatch } from '../watching.ts';
import { boundAccounts, isAnyBound } from './boundAccounts.ts';

/** A row is put down before its record is written: one that misleads is left alone until no writer can be that slow. */
const staleRowMs = 3_600_000;

/** Looks if a look is due. Answers whether it did. */
export async function lookAtBinding(bindingId: string, isSweep: boolean, service: Service): Promise<boolean> {
  const stored = await service.bindings.readWatch(bindingId);
  const now = service.clock.now();
  if (stored === undefined || !isLookDue(stored.value, now, isSweep, service.policy)) return false;
  const watch = stored.value;
  const evidence: Evidence[] = [];
  const unused: string[] = [];
  for (const version of Object.keys(watch.versions)) {
    const seen = await lookAtVersion(watch, version, service);
    if (seen === 'unused') unused.push(version);
    else evidence.push(seen);
  }
  await retryLostRaces(() => record(bindingId, evidence, unused, service));
  return true;
}

async function lookAtVersion(watch: Watch, version: string, service: Service): Promise<Evidence | 'unused'> {
  const sample = await sampleOf(watch, version, service);
  if (sample === undefined) return 'unused';
  const takenAt = service.clock.now();
  const opened = await openAccountKey(sample, service);
  if (opened.ok) wipe(opened.value);
  const cause = opened.ok ? undefined : opened.cause;
  const controlLook = cause !== undefined && isDenied(cause) ? await service.controlLook(watch.binding) : undefined;
  service.log.info('Looked at a key', {
    bindingId: watch.binding.id,
    version,
    cause: cause ?? 'none',
    controlLook,
    keyVaultRequestId: opened.observed.requestId,
    durationMs: opened.observed.durationMs,
  });
  return {
    bindingId: watch.binding.id,
    version,
    takenAt,
    ...(cause === undefined ? {} : { cause }),
    ...(controlLook === undefined ? {} : { controlLook }),
  };
}

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

async function record(
  bindingId: string,
  evidence: readonly Evidence[],
  unused: readonly string[],
  service: Service,
): Promise<void> {
  const stored = await service.bindings.readWatch(bindingId);
  if (stored === undefined) return;
  let next = stored.value;
  for (const one of evidence) next = observe(next, one, service.policy);
  if (evidence.length === 0)
    next = { ...next, nextLookAt: service.clock.now() + service.policy.lookIntervalHealthySeconds * 1000 };
  next = await withoutUnused(next, unused, service);
  const mismatch = evidence.find((one) => one.cause === 'KeyMaterialMismatch');
  if (mismatch !== undefined)
    service.log.error('A wrapped account key does not open to what its record names', { bindingId });
  await saveWatch(stored, next, [], service);
}

/** A version that wraps nobody leaves the watch, once no row names it: a row is put down before anybody moves onto it. */
async function withoutUnused(watch: Watch, unused: readonly string[], service: Service): Promise<Watch> {
  let versions = watch.versions;
  for (const version of unused) {
    if (Object.keys(versions).length === 1 || (await isAnyBound(watch.binding.id, version, service))) continue;
    const { [version]: _gone, ...rest } = versions;
    versions = rest;
  }
  return versions === watch.versions ? watch : { ...watch, versions };
}
