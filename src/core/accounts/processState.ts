/** What one process remembers between calls. None of it decides about an account: that is in the tables. */
import type { Actor, SensitiveCall } from '../audit/auditFacts.ts';
import type { Bytes } from '../base/bytes.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStore } from '../watch/ports.ts';
import type { Watch } from '../watch/watch.ts';
import type { AccountView } from './account.ts';

export interface KnownAccount {
  /** Undefined when there is no such account, or it is being deleted. */
  readonly view: AccountView | undefined;
  readonly isRemembered: boolean;
}

/** Account records that this process read within the last seconds. */
export interface AccountCache {
  /** The account as it is now, from a record that may be a few seconds old. */
  view(name: string): Promise<KnownAccount>;
  forget(name: string): void;
  /** The binding that the account's record named when this process last read it: a guess. */
  bindingOf(foldedName: string): string | undefined;
  noteBinding(foldedName: string, bindingId: string | undefined): void;
  /** The watch as calls read it: watchReader.ts. */
  readWatch(bindingId: string, bindings: Pick<WatchStore, 'readWatch'>): Promise<Watch | undefined>;
}

/** How long what was opened under a lease may be used outside of this process. */
export interface LeaseTerm {
  /** When this was found: the span to `notAfter` is exact, also when the wall clock changes later. */
  readonly from: EpochMs;
  readonly notAfter: EpochMs;
  /** The account permits no lease: the opened account key is for one use. */
  readonly once: boolean;
  /** The same for all terms of one lease, but in grace, where each term is a new one. */
  readonly leaseId: string;
}

export interface Leases {
  /**
   * Runs `use` with the account's key. The key is valid until `use` returns and never after.
   * @throws Unavailable CustomerKeyUnreachable, with the cause.
   */
  withAccountKey<T>(view: AccountView, use: (accountKey: Bytes, term: LeaseTerm) => T): Promise<T>;
  /** How many keys are in memory now. */
  size(): number;
  /** Wipes everything. */
  clear(): void;
}

/** A refused call, with the account, key and claim that it named. */
export interface RefusedCall {
  readonly asked: SensitiveCall;
  readonly account?: string;
  readonly key?: string;
  /** `<kind>/<value>`. */
  readonly claim?: string;
}

export interface RefusedCalls {
  /**
   * `tooMany`: this caller has reached its limit of entries per minute. @throws Unavailable when the entry cannot be
   * written
   */
  audit(call: RefusedCall, code: ErrorCode, actor: Actor): Promise<'audited' | 'tooMany'>;
}
