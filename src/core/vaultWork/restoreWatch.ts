/**
 * Restores a watch that is lost or damaged. Without it no look would cover its accounts, and a revocation would be
 * missed. Bound rows and records show which versions are in use. The binding's own chain shows what was decided, so an
 * account whose key was lost stays blocked until a look shows that the key works (INV-2). Everything else is unknown
 * until the next look.
 */
import {
  type AccountRecord,
  type ActiveAccount,
  boundOf,
  type CustomerKeyEncryption,
  isWrappedBy,
} from '../accounts/account.ts';
import { type AuditEntry, appendEntry, type ChainHead, emptyChain, headOf } from '../audit/auditEntry.ts';
import { headAfter, positionedEntries } from '../audit/chainEnd.ts';
import type { ChainPageRequest } from '../audit/ports.ts';
import { isCause } from '../base/causes.ts';
import { DamagedRow, unlessDamaged } from '../base/damagedRow.ts';
import { defined } from '../base/defined.ts';
import { LostRace } from '../base/errors.ts';
import type { DenyingCause } from '../base/policy.ts';
import type { Stored } from '../base/stored.ts';
import { type EpochMs, instantOf } from '../base/time.ts';
import { type Binding, vaultIdOf } from '../customerKey/binding.ts';
import { boundAccounts, boundVersions } from '../watch/boundAccounts.ts';
import { maxTransitions } from '../watch/judge.ts';
import { updateWatch } from '../watch/updateWatch.ts';
import { accessibleVerdict, type Transition, type Verdict, type Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';

const keyward = { kind: 'keyward', id: 'watch' } as const;

/** The watch, restored when it was lost. Undefined: no account needs one. */
export async function openWatch(bindingId: string, deps: VaultWorkDeps): Promise<Stored<Watch> | undefined> {
  try {
    const stored = await deps.bindings.readWatch(bindingId);
    return stored ?? (await restoreWatch(bindingId, undefined, deps));
  } catch (error) {
    if (!(error instanceof DamagedRow)) throw error;
    const etag = await deps.bindings.damagedWatch(bindingId);
    return etag === undefined ? deps.bindings.readWatch(bindingId) : restoreWatch(bindingId, etag, deps);
  }
}

/**
 * Does the work on a binding. When its watch is older than its chain, a writer of the tables has put it back, and it
 * takes no verdict. It is restored then, and the next work continues. @throws the error of the work
 */
export async function restoringOlderWatch<T>(
  bindingId: string,
  deps: VaultWorkDeps,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isOlder =
      error instanceof DamagedRow && error.address.table === 'bindings' && error.address.rowKey === 'watch';
    const stored = isOlder ? await unlessDamaged(deps.bindings.readWatch(bindingId)) : undefined;
    if (stored !== undefined && stored !== 'damaged') await restoreWatch(bindingId, stored.etag, deps);
    throw error;
  }
}

async function restoreWatch(
  bindingId: string,
  damagedEtag: string | undefined,
  deps: VaultWorkDeps,
): Promise<Stored<Watch> | undefined> {
  const samples = await samplesByVersion(bindingId, deps);
  const binding = samples.values().next().value?.encryption.binding;
  if (binding === undefined) return undefined;
  const chain = await readChain(bindingId, deps);
  const { audit } = await deps.rings();
  const now = deps.clock.now();
  const entry = appendEntry(
    bindingId,
    chain.head,
    { type: 'WatchRestored', actor: keyward },
    now,
    audit.newest,
    deps.random,
  );
  const watch = { ...watchFrom(binding, samples, chain, now), audit: headOf(entry) };
  try {
    await deps.bindings.createWatch(watch, [entry], damagedEtag);
    deps.log.error('A lost watch was restored', { bindingId, count: samples.size });
  } catch (error) {
    // Another worker was faster, or an account has just been bound to the key.
    if (!(error instanceof LostRace)) throw error;
  }
  return deps.bindings.readWatch(bindingId);
}

type Sample = Pick<ActiveAccount, 'createdAt'> & { readonly encryption: CustomerKeyEncryption };

/** One account for each version that wraps one. Other versions are not in use. */
async function samplesByVersion(bindingId: string, deps: VaultWorkDeps): Promise<Map<string, Sample>> {
  const samples = new Map<string, Sample>();
  for await (const version of boundVersions(bindingId, deps)) {
    for await (const row of boundAccounts(bindingId, { version }, deps)) {
      const sample = sampleIn(await readIfWhole(row.value.name, deps), bindingId, version);
      if (sample === undefined) continue;
      samples.set(version, sample);
      break;
    }
  }
  return samples;
}

/** A damaged record stops no other account. */
export const readIfWhole = (
  name: string,
  { accounts }: Pick<VaultWorkDeps, 'accounts'>,
): Promise<Stored<AccountRecord> | 'damaged' | undefined> => unlessDamaged(accounts.read(name));

function sampleIn(stored: Awaited<ReturnType<typeof readIfWhole>>, bindingId: string, version: string) {
  if (stored === undefined || stored === 'damaged' || stored.value.lifecycle !== 'active') return undefined;
  if (!isWrappedBy(stored.value, bindingId, version)) return undefined;
  const { encryption, createdAt } = stored.value;
  return encryption.type === 'CustomerKey' ? { encryption, createdAt } : undefined;
}

interface ReadChain {
  readonly head: ChainHead;
  /** Entries of verdicts, in order. Rows that Keyward did not write are left out; verification reports them. */
  readonly verdicts: readonly AuditEntry[];
}

async function readChain(bindingId: string, deps: VaultWorkDeps): Promise<ReadChain> {
  const { audit } = await deps.rings();
  const verdicts: AuditEntry[] = [];
  let head = emptyChain;
  const chain = { id: bindingId, page: (page: ChainPageRequest) => deps.bindings.audit(bindingId, page) };
  for await (const positioned of positionedEntries(chain, audit)) {
    head = headAfter(positioned);
    if (positioned.entry?.type === 'VerdictChanged') verdicts.push(positioned.entry);
  }
  return { head, verdicts };
}

function watchFrom(
  binding: Binding,
  samples: ReadonlyMap<string, Sample>,
  { verdicts }: ReadChain,
  now: EpochMs,
): Omit<Watch, 'audit'> {
  const versions = Object.fromEntries(
    [...samples].map(([version, sample]) => [
      version,
      verdictFrom(
        verdicts.filter(({ key }) => key === version),
        sample,
      ),
    ]),
  );
  const transitions = verdicts.flatMap(transitionOf).slice(-maxTransitions);
  const reached = [...samples.values()].map(({ encryption }) => encryption.reconciledEpoch);
  return {
    binding,
    versions,
    epoch: Math.max(0, ...reached, ...transitions.map(({ epoch }) => epoch)),
    reconciledEpoch: (transitions[0]?.epoch ?? Math.max(0, ...reached) + 1) - 1,
    transitions,
    lastLookAt: 0,
    // Greater than the count of any earlier look.
    lookCount: now,
    nextLookAt: now,
    lastVersionCheckAt: 0,
    nextVersionCheckAt: now,
  };
}

/** No newer facts than the chain and the record exist. A confirmed denial stays confirmed. */
function verdictFrom(entries: readonly AuditEntry[], { encryption, createdAt }: Sample): Verdict {
  const goodAt = entries.findLast(({ after }) => after === 'Accessible')?.at;
  const lastAccessibleAt = Math.max(
    createdAt,
    encryption.rewrappedAt ?? 0,
    goodAt === undefined ? 0 : instantOf(goodAt),
  );
  const known = accessibleVerdict(lastAccessibleAt);
  const last = entries.at(-1);
  if (last?.after !== 'Inaccessible' || last.cause === undefined || !isCause(last.cause))
    return { ...known, status: 'Unreachable', cause: 'UnknownResponse' };
  const at = instantOf(last.at);
  const denials = { [last.cause as DenyingCause]: { looks: 1, overMs: 0, firstAt: at, lastMs: 0 } };
  return { ...known, status: 'Inaccessible', cause: last.cause, since: at, evidenceAt: at, denials };
}

function transitionOf({ epoch, key, after, at, cause, keyVaultRequestId, keyReleasedBy }: AuditEntry): Transition[] {
  if (epoch === undefined || key === undefined) return [];
  const to = after === 'Inaccessible' ? 'CustomerKeyInaccessible' : 'Enabled';
  const releasedBy = keyReleasedBy === undefined ? undefined : instantOf(keyReleasedBy);
  return [
    {
      epoch,
      version: key,
      to,
      at: instantOf(at),
      ...defined({ cause, keyVaultRequestId, keyReleasedBy: releasedBy }),
    },
  ];
}

/**
 * Makes sure that looks cover the account: its rows exist, and its watch has its version. Returns whether anything was
 * missing.
 */
export async function watchAccount(
  record: ActiveAccount,
  encryption: CustomerKeyEncryption,
  deps: VaultWorkDeps,
): Promise<boolean> {
  const { binding, version } = encryption;
  const bound = boundOf(record, encryption);
  const [row, ofVault] = await Promise.all([
    deps.bindings.readAccount(binding.id, bound),
    deps.vaults.bindings(vaultIdOf(binding.vaultHost)),
  ]);
  const isBound = row !== undefined && row.isDamaged === undefined;
  const isListed = ofVault.includes(binding.id);
  if (!isBound) await deps.bindings.putAccount(binding.id, bound);
  if (!isListed) await deps.vaults.addBinding(binding.vaultHost, binding.id);
  const watch = await openWatch(binding.id, deps);
  const isKnown = watch?.value.versions[version] !== undefined;
  if (watch !== undefined && !isKnown) {
    const unproven = verdictFrom([], { encryption, createdAt: record.createdAt });
    const add = (before: Watch): Watch => ({
      ...before,
      versions: { [version]: unproven, ...before.versions },
      nextLookAt: deps.clock.now(),
    });
    await updateWatch(watch, add, deps);
  }
  return !isBound || !isListed || !isKnown;
}
