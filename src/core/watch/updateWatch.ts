/** Reads and writes watches: the use cases around the pure state machine of watch.ts. */
import { appendEntries, emptyChain } from '../audit/auditEntry.ts';
import { type AuditFacts, withTrigger } from '../audit/auditFacts.ts';
import { defined } from '../base/defined.ts';
import { LostRace, Refusal, retryLostRaces } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import type { Policy } from '../base/policy.ts';
import type { Stored } from '../base/stored.ts';
import { type EpochMs, optionalIso } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import type { Binding } from '../customerKey/binding.ts';
import { keyIdentifierTarget } from '../customerKey/keyIdentifier.ts';
import type { KeyDescription, Principal } from '../customerKey/ports.ts';
import type { WatchDeps } from './deps.ts';
import { observe } from './judge.ts';
import { withProvenNewest } from './newestVersion.ts';
import { accessibleVerdict, type Evidence, type Verdict, type Watch } from './watch.ts';
import { occurrenceFacts } from './watchAuditFacts.ts';

/**
 * The number of versions of one key that accounts may be set on. A rotation may add more, because it leaves versions
 * behind.
 */
const maxVersions = 100;
const maxVersionsOfRotation = 128;

/** A remote unwrap that has just succeeded, and the facts about the key that its operation has read. */
export interface Proof {
  /** When the unwrap began. */
  readonly at: EpochMs;
  readonly principal?: Principal;
  /** The newest version of the key, when the operation has read it. */
  readonly newest?: KeyDescription;
  /** The account is being re-wrapped. */
  readonly isRotation?: true;
}

type UpdateDeps = Pick<WatchDeps, 'bindings' | 'vaults' | 'rings' | 'policy' | 'clock' | 'random' | 'log' | 'trigger'>;

const keyward = { kind: 'keyward', id: 'watch' } as const;

/**
 * Makes sure that the binding has a watch with this version, based on a remote unwrap that has just succeeded. It runs
 * before any record names the version, so that looks cover every account from the start.
 */
export async function ensureWatched(binding: Binding, version: string, proof: Proof, deps: UpdateDeps): Promise<Watch> {
  await deps.vaults.addBinding(binding.vaultHost, binding.id);
  return retryLostRaces(async () => {
    const stored = await deps.bindings.readWatch(binding.id);
    if (stored === undefined) return createWatch(binding, version, proof, deps);
    const { value } = await updateWatch(stored, (watch) => withProof(watch, version, proof, deps.policy), deps);
    return value;
  });
}

function withProof(watch: Watch, version: string, { at, principal, newest, isRotation }: Proof, policy: Policy): Watch {
  const nextVersionCheckAt = Math.min(watch.nextVersionCheckAt, at + policy.versionCheckIntervalSeconds * 1000);
  const checked = nextVersionCheckAt === watch.nextVersionCheckAt ? watch : { ...watch, nextVersionCheckAt };
  const evidence: Evidence = { bindingId: watch.binding.id, version, takenAt: at, ...defined({ principal }) };
  if (watch.versions[version] === undefined) refuseTooManyVersions(watch, isRotation === true);
  const proven =
    watch.versions[version] === undefined
      ? { ...withPrincipal(checked, principal), versions: { ...watch.versions, [version]: accessibleVerdict(at) } }
      : observe(checked, evidence, policy);
  // A later version check has newer facts than the proof.
  return newest === undefined || proven.latest !== undefined ? proven : withProvenNewest(proven, newest, at, policy);
}

/** @throws Refusal Conflict */
function refuseTooManyVersions({ versions }: Watch, isRotation: boolean): void {
  const inUse = Object.keys(versions).length;
  if (inUse < (isRotation ? maxVersionsOfRotation : maxVersions)) return;
  throw new Refusal(
    'Conflict',
    `Accounts use ${inUse} versions of this key already, which is the limit. Change the accounts that are pinned to older versions to one version, or use another key.`,
    { target: keyIdentifierTarget },
  );
}

const withPrincipal = ({ provenBy: _, ...watch }: Watch, principal: Principal | undefined): Watch => ({
  ...watch,
  ...(principal === undefined ? {} : { provenBy: principal, calledAs: principal }),
});

async function createWatch(
  binding: Binding,
  version: string,
  { at, principal, newest }: Proof,
  deps: UpdateDeps,
): Promise<Watch> {
  const { audit } = await deps.rings();
  const created: Watch = {
    binding,
    versions: { [version]: accessibleVerdict(at) },
    epoch: 0,
    reconciledEpoch: 0,
    transitions: [],
    lastLookAt: at,
    lookCount: 0,
    nextLookAt: at + deps.policy.lookIntervalHealthySeconds * 1000,
    lastVersionCheckAt: 0,
    nextVersionCheckAt: at + deps.policy.versionCheckIntervalSeconds * 1000,
    audit: emptyChain,
    ...defined({ provenBy: principal, calledAs: principal }),
  };
  const known = newest === undefined ? created : withProvenNewest(created, newest, at, deps.policy);
  // A key can be near its expiry when its first account is bound.
  const facts: AuditFacts[] = [
    { type: 'WatchCreated', actor: keyward, key: version },
    ...occurrenceFacts(created, known),
  ];
  const { entries, head } = appendEntries(binding.id, emptyChain, facts, deps.clock.now(), audit.newest, deps.random);
  const watch = { ...known, audit: head };
  await deps.bindings.createWatch(watch, entries);
  return watch;
}

/**
 * Changes a watch by a pure decision. When another writer was faster, it reads the watch again and decides again. A
 * changed verdict and its audit entry are in one batch (INV-6). `facts` are entries of other types that the decision
 * requires.
 */
export async function updateWatch(
  stored: Stored<Watch>,
  decide: (watch: Watch) => Watch,
  deps: Pick<WatchDeps, 'bindings' | 'rings' | 'clock' | 'random' | 'log' | 'trigger'>,
  facts: (before: Watch, after: Watch) => readonly AuditFacts[] = () => [],
): Promise<Stored<Watch>> {
  let current = stored;
  return retryLostRaces(async () => {
    const before = current.value;
    const after = decide(before);
    if (after === before) return current;
    const allFacts = [...verdictFacts(before, after), ...occurrenceFacts(before, after), ...facts(before, after)];
    try {
      const saved = await saveWatch(current, after, allFacts, deps);
      for (const { was, verdict } of changesOf(before, after))
        measure(deps.log, 'keyward.transitions', 1, { from: was, to: verdict.status, cause: verdict.cause ?? 'none' });
      return saved;
    } catch (error) {
      if (error instanceof LostRace) current = (await deps.bindings.readWatch(before.binding.id)) ?? current;
      throw error;
    }
  });
}

async function saveWatch(
  { value, etag }: Stored<Watch>,
  next: Watch,
  facts: readonly AuditFacts[],
  deps: Pick<WatchDeps, 'bindings' | 'rings' | 'clock' | 'random' | 'trigger'>,
): Promise<Stored<Watch>> {
  if (facts.length === 0) return deps.bindings.saveWatch({ value: next, etag }, []);
  const { audit } = await deps.rings();
  const triggered = withTrigger(facts, deps.trigger);
  const { entries, head } = appendEntries(
    next.binding.id,
    value.audit,
    triggered,
    deps.clock.now(),
    audit.newest,
    deps.random,
  );
  return deps.bindings.saveWatch({ value: { ...next, audit: head }, etag }, entries);
}

interface Change {
  readonly version: string;
  readonly was: WatchStatus;
  readonly verdict: Verdict;
}

const changesOf = (before: Watch, after: Watch): Change[] =>
  Object.entries(after.versions).flatMap(([version, verdict]) => {
    const was = before.versions[version]?.status;
    return was === undefined || was === verdict.status ? [] : [{ version, was, verdict }];
  });

const verdictFacts = (before: Watch, after: Watch): AuditFacts[] =>
  changesOf(before, after).map(({ version, was, verdict }) => {
    const transition = after.transitions.find((one) => one.epoch > before.epoch && one.version === version);
    const epoch = transition === undefined ? {} : { epoch: transition.epoch };
    const cause = verdict.cause === undefined ? {} : { cause: verdict.cause };
    const { keyVaultRequestId } = verdict;
    const proof = keyVaultRequestId === undefined ? {} : { keyVaultRequestId };
    const releasedBy = transition?.keyReleasedBy;
    return {
      type: 'VerdictChanged',
      actor: keyward,
      key: version,
      before: was,
      after: verdict.status,
      ...cause,
      ...epoch,
      ...proof,
      ...defined({ keyReleasedBy: optionalIso(releasedBy) }),
    };
  });
