import type { Bytes } from '../base/bytes.ts';
import { type Cause, isOutage } from '../base/causes.ts';
import { lruCache } from '../base/lruCache.ts';
import { measure } from '../base/metrics.ts';
import type { EpochMs } from '../base/time.ts';
import { wipeAccountKey } from '../crypto/subkeys.ts';
import type { Verdict } from '../watch/watch.ts';
import { type AccountView, leasePolicyOf, onceTermMs, verdictOn, wrappedByOf } from './account.ts';
import { openAccountKey } from './accountKey.ts';
import type { AccountsDeps } from './deps.ts';
import { causeOf, keyUnreachable, requestLookAfter } from './gate.ts';
import { auditKeyUses, type KeyUse, recordingKeyVault } from './keyUse.ts';
import type { Leases, LeaseTerm } from './processState.ts';

interface Lease {
  readonly accountKey: Bytes;
  readonly openedAt: EpochMs;
  readonly openedMonotonic: number;
  /** With jitter, so that accounts opened together are not renewed together. */
  readonly lifeMs: number;
  /** From the opening to the end of grace; jitter shortens leases, not this. */
  readonly longestMs: number;
  /** By the monotonic clock. */
  renewAfter: number;
  /** The last renewal found that the vault did not answer. */
  isInGrace: boolean;
}

const keyward = { kind: 'keyward', id: 'lease' } as const;
const maxLeases = 20_000;
const graceStepMs = 10_000;
/** In grace an idle key is wiped soon: no call is there that would learn of a denial. */
const idleInGraceMs = 2 * graceStepMs;
/**
 * In grace a term ends soon, and so its holder comes back: a denial that ends grace here reaches the holder within this
 * time.
 */
const graceTermMs = 60_000;

export function createLeases(
  deps: Pick<
    AccountsDeps,
    'keyVault' | 'accounts' | 'serialize' | 'rings' | 'random' | 'clock' | 'policy' | 'log' | 'requestLook'
  >,
): Leases {
  const { clock, policy } = deps;
  const leases = lruCache<Lease>(maxLeases, {
    ttlAutopurge: true,
    ttl: policy.leaseSeconds * 1000,
    dispose: ({ accountKey }) => wipeAccountKey(accountKey),
  });
  const inFlight = new Map<string, Promise<Lease | Cause>>();

  /**
   * The larger of the two ages by wall clock and monotonic clock: a wall clock that was set back makes no key younger.
   */
  const ageOf = (lease: Lease) =>
    Math.max(Math.abs(clock.now() - lease.openedAt), clock.monotonic() - lease.openedMonotonic);

  /** The account key by a fresh unwrap. After a failed unwrap, the caller does not wait for the audit entry. */
  async function unwrap(view: AccountView): Promise<{ key: Bytes; audited: Promise<void> } | Cause> {
    const uses: KeyUse[] = [];
    const opened = await openAccountKey(view.record, { ...deps, keyVault: recordingKeyVault(deps.keyVault, uses) });
    const audited = auditKeyUses({ record: view.record, purpose: 'lease', actor: keyward }, uses, deps);
    if (opened.ok) return { key: opened.value, audited };
    await requestLookAfter(opened.cause, view.record, deps);
    return causeOf(view, opened);
  }

  async function open(id: string, view: AccountView): Promise<Lease | Cause> {
    const openedAt = clock.now();
    const openedMonotonic = clock.monotonic();
    const opened = await unwrap(view);
    if (typeof opened === 'string') return opened;
    const { leaseSeconds, leaseGraceSeconds } = leasePolicyOf(view.record, policy);
    const leaseMs = leaseSeconds * 1000;
    const jitter = 1 - (deps.random.bytes(1)[0] ?? 0) / 2560;
    const lifeMs = leaseMs * jitter;
    const lease: Lease = {
      accountKey: opened.key,
      openedAt,
      openedMonotonic,
      lifeMs,
      isInGrace: false,
      longestMs: leaseMs + leaseGraceSeconds * 1000,
      renewAfter: openedMonotonic + lifeMs * 0.8,
    };
    leases.set(id, lease, { ttl: lifeMs });
    measure(deps.log, 'keyward.leases', leases.size, {});
    await opened.audited;
    return lease;
  }

  function openOnce(id: string, view: AccountView): Promise<Lease | Cause> {
    const opening = inFlight.get(id) ?? open(id, view).finally(() => inFlight.delete(id));
    inFlight.set(id, opening);
    return opening;
  }

  function stillHeld(id: string, isDenied: boolean): Lease | undefined {
    const lease = leases.get(id);
    if (lease === undefined) return undefined;
    if (ageOf(lease) < (lease.isInGrace && !isDenied ? lease.longestMs : lease.lifeMs)) return lease;
    leases.delete(id);
    return undefined;
  }

  /** Uses a key that could not be renewed until its lease, or grace, ends. */
  function continueInGrace(id: string, held: Lease, cause: Cause): Lease | Cause {
    held.isInGrace = isOutage(cause);
    held.renewAfter = held.isInGrace ? clock.monotonic() + graceStepMs : Number.POSITIVE_INFINITY;
    const leaseLeftMs = held.lifeMs - ageOf(held);
    const leftMs = held.isInGrace
      ? Math.min(held.longestMs - ageOf(held), Math.max(leaseLeftMs, idleInGraceMs))
      : leaseLeftMs;
    if (leftMs <= 0) leases.delete(id);
    else leases.set(id, held, { ttl: leftMs, noDisposeOnSet: true });
    return leftMs <= 0 ? cause : held;
  }

  /** The lease to use now, renewed where it is due and the verdict allows it; or the reason why there is none. */
  async function leaseFor(id: string, view: AccountView): Promise<Lease | Cause> {
    const verdict = verdictOn(view);
    const isDenied = isDenial(verdict);
    const held = stillHeld(id, isDenied);
    if (held !== undefined && (isDenied || clock.monotonic() < held.renewAfter)) return held;
    if (isDenied) return verdict?.cause ?? 'UnknownResponse';
    const opened = await openOnce(id, view);
    if (typeof opened !== 'string') return opened;
    const waiting = stillHeld(id, false);
    return waiting === undefined ? opened : continueInGrace(id, waiting, opened);
  }

  function termOf(lease: Lease, isDenied: boolean): LeaseTerm {
    const age = ageOf(lease);
    const end = lease.isInGrace && !isDenied ? Math.min(lease.longestMs, age + graceTermMs) : lease.lifeMs;
    const from = clock.now();
    const leaseId = lease.isInGrace ? `${lease.openedAt}+${from}` : String(lease.openedAt);
    return { from, notAfter: from + Math.max(0, Math.floor(end - age)), once: false, leaseId };
  }

  /** The line names the customer. A metric does not. */
  function logRefusal(view: AccountView, cause: Cause) {
    const { name: account, owner, encryption } = view.record;
    deps.log.warn('A call was refused because its customer key did not work', {
      account,
      owner,
      cause,
      key: wrappedByOf(encryption),
    });
    return keyUnreachable(view, cause);
  }

  /** Every use asks the vault, also when another has just asked. */
  async function withoutLease<T>(view: AccountView, use: (accountKey: Bytes, term: LeaseTerm) => T): Promise<T> {
    const verdict = verdictOn(view);
    if (isDenial(verdict)) throw logRefusal(view, verdict.cause ?? 'UnknownResponse');
    const from = clock.now();
    const opened = await unwrap(view);
    if (typeof opened === 'string') throw logRefusal(view, opened);
    let result: T;
    try {
      result = use(opened.key, { from, notAfter: from + onceTermMs, once: true, leaseId: `${from}` });
    } finally {
      wipeAccountKey(opened.key);
    }
    await opened.audited;
    return result;
  }

  return {
    async withAccountKey(view, use) {
      if (view.record.leaseSeconds === 0) return withoutLease(view, use);
      const id = leaseId(view);
      for (;;) {
        const lease = await leaseFor(id, view);
        if (typeof lease === 'string') throw logRefusal(view, lease);
        // Another caller's renewal may have replaced and wiped this lease in the meantime: check again, in the same
        // turn as the use.
        if (leases.peek(id) === lease) return use(lease.accountKey, termOf(lease, isDenial(verdictOn(view))));
      }
    },
    size() {
      leases.purgeStale();
      return leases.size;
    },
    clear: () => leases.clear(),
  };
}

const isDenial = (verdict: Verdict | undefined): verdict is Verdict =>
  verdict?.status === 'Suspect' || verdict?.status === 'Inaccessible';

/**
 * A lease is for one generation under one key version. After a change of key or a re-wrap, the new key is unwrapped.
 */
const leaseId = ({ record }: AccountView): string =>
  `${record.instanceId} ${record.accountKeyGeneration} ${record.leaseSeconds ?? ''} ${wrappedByOf(record.encryption)}`;
