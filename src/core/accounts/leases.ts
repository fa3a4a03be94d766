import type { Bytes } from '../base/bytes.ts';
import { type Cause, classOf } from '../base/causes.ts';
import { lruCache } from '../base/lruCache.ts';
import { measure } from '../base/metrics.ts';
import type { EpochMs } from '../base/time.ts';
import { wipeAccountKey } from '../crypto/subkeys.ts';
import { type AccountView, verdictOn, wrappedByOf } from './account.ts';
import { openAccountKey } from './accountKey.ts';
import type { AccountsDeps } from './deps.ts';
import { keyUnreachable } from './gate.ts';
import { auditKeyUses, type KeyUse, recordingKeyVault } from './keyUse.ts';
import type { Leases } from './processState.ts';

interface Lease {
  readonly accountKey: Bytes;
  readonly openedAt: EpochMs;
  readonly openedMonotonic: number;
  /** With jitter, so that accounts opened together are not renewed together. */
  readonly lifeMs: number;
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

export function createLeases(
  tools: Pick<AccountsDeps, 'keyVault' | 'accounts' | 'serialize' | 'rings' | 'random' | 'clock' | 'policy' | 'log'>,
): Leases {
  const { clock, policy } = tools;
  /** From the unwrap to the end of grace. Jitter shortens leases, not this time. */
  const longestMs = (policy.leaseSeconds + policy.leaseGraceSeconds) * 1000;
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

  async function open(id: string, view: AccountView): Promise<Lease | Cause> {
    const openedAt = clock.now();
    const openedMonotonic = clock.monotonic();
    const uses: KeyUse[] = [];
    const opened = await openAccountKey(view.record, { ...tools, keyVault: recordingKeyVault(tools.keyVault, uses) });
    const told = () => auditKeyUses({ record: view.record, purpose: 'lease', actor: keyward }, uses, tools);
    if (!opened.ok) {
      // A caller that uses the held key, or is refused, does not wait for the audit.
      void told();
      return opened.cause;
    }
    const jitter = 1 - (tools.random.bytes(1)[0] ?? 0) / 2560;
    const lifeMs = policy.leaseSeconds * 1000 * jitter;
    const renewAfter = openedMonotonic + lifeMs * 0.8;
    const lease: Lease = { accountKey: opened.value, openedAt, openedMonotonic, lifeMs, renewAfter, isInGrace: false };
    leases.set(id, lease, { ttl: lifeMs });
    measure(tools.log, 'keyward.leases', leases.size, {});
    await told();
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
    if (ageOf(lease) < (lease.isInGrace && !isDenied ? longestMs : lease.lifeMs)) return lease;
    leases.delete(id);
    return undefined;
  }

  /** Uses a key that could not be renewed until its lease, or grace, ends. */
  function goOn(id: string, held: Lease, cause: Cause): Lease | Cause {
    held.isInGrace = classOf(cause) === 'unreachable';
    held.renewAfter = held.isInGrace ? clock.monotonic() + graceStepMs : Number.POSITIVE_INFINITY;
    const leaseLeftMs = held.lifeMs - ageOf(held);
    const leftMs = held.isInGrace
      ? Math.min(longestMs - ageOf(held), Math.max(leaseLeftMs, idleInGraceMs))
      : leaseLeftMs;
    if (leftMs <= 0) leases.delete(id);
    else leases.set(id, held, { ttl: leftMs, noDisposeOnSet: true });
    return leftMs <= 0 ? cause : held;
  }

  /** The lease to use now, renewed where it is due and the verdict allows it; or the reason why there is none. */
  async function leaseFor(id: string, view: AccountView): Promise<Lease | Cause> {
    const verdict = verdictOn(view);
    const isDenied = verdict?.status === 'Suspect' || verdict?.status === 'Inaccessible';
    const held = stillHeld(id, isDenied);
    if (held !== undefined && (isDenied || clock.monotonic() < held.renewAfter)) return held;
    if (isDenied) return verdict.cause ?? 'UnknownResponse';
    const opened = await openOnce(id, view);
    if (typeof opened !== 'string') return opened;
    const waiting = stillHeld(id, false);
    return waiting === undefined ? opened : goOn(id, waiting, opened);
  }

  return {
    async withAccountKey(view, use) {
      const id = leaseId(view);
      for (;;) {
        const lease = await leaseFor(id, view);
        if (typeof lease === 'string') throw keyUnreachable(view, lease);
        // Another caller's renewal may have replaced and wiped this lease in the meantime: check again, in the same
        // turn as the use.
        if (leases.peek(id) === lease) return use(lease.accountKey);
      }
    },
    size() {
      leases.purgeStale();
      return leases.size;
    },
    clear: () => leases.clear(),
  };
}

/**
 * A lease is for one generation under one key version. After a change of key or a re-wrap, the new key is unwrapped.
 */
const leaseId = ({ record }: AccountView): string =>
  `${record.instanceId} ${record.accountKeyGeneration} ${wrappedByOf(record.encryption)}`;
