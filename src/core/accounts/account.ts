/** The stored account, and what is read off it and its watch. */
import type { ChainHead } from '../audit/auditEntry.ts';
import type { ArmPath } from '../base/armPath.ts';
import { fold } from '../base/names.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName } from '../base/vocabulary.ts';
import type { Binding } from '../customerKey/binding.ts';
import type { BoundAccount } from '../watch/ports.ts';
import type { Verdict, Watch } from '../watch/watch.ts';

export type AccountState = 'Enabled' | 'CustomerKeyInaccessible';

export interface CustomerKeyEncryption {
  readonly type: 'CustomerKey';
  /** As the customer wrote it; never rewritten. */
  readonly keyIdentifier: string;
  /** True for a versionless identifier: newer versions are followed. */
  readonly follows: boolean;
  /** The version that wraps the account key now. */
  readonly version: string;
  readonly binding: Binding;
  /** The watch's last epoch that stands in this account's chain. */
  readonly reconciledEpoch: number;
  /** When the account key was last re-wrapped on this binding. Absent: not since the account came to it. */
  readonly rewrappedAt?: EpochMs;
}

export type Encryption = { readonly type: 'SystemKey' } | CustomerKeyEncryption;

/**
 * Keys that the account has left while some of its secrets may still be under them. They open and never seal.
 *
 *   moving    a pass over the secrets brings them under the account key
 *   retiring  begun at least `olderKeyWaitMs` (rings/times.ts) later: the older keys go after a pass that finds nothing under them, and every
 *             writer that reads this after its save knows that the pass may have missed it
 */
export interface OlderAccountKeys {
  readonly phase: 'moving' | 'retiring';
  readonly since: EpochMs;
  /** base64 of the envelope of docs/envelope.md, kind `accountKeys`: sealed under the account key. */
  readonly keys: readonly { readonly generation: number; readonly sealed: string }[];
}

export type PassthroughProperties = Readonly<Record<string, unknown>>;

interface AccountFacts {
  /** As written at creation; folded it is the account's partition. */
  readonly name: string;
  /** Not shared with an account of the same name that is created later. */
  readonly instanceId: string;
  /** Whom the account belongs to; never changes. */
  readonly owner: string;
  readonly location: string;
  /** Its path on the routes of Azure Media Services; never changes. Absent: it has none. */
  readonly place?: ArmPath;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** Counts writes; with the instance it is the account's ETag. */
  readonly revision: number;
  readonly audit: ChainHead;
}

export interface ActiveAccount extends AccountFacts {
  readonly lifecycle: 'active';
  readonly tags: Readonly<Record<string, string>>;
  /** Properties that mean nothing here and belong to the contract of Azure Media Services: kept as they came. */
  readonly kept?: PassthroughProperties;
  readonly encryption: Encryption;
  readonly accountKeyGeneration: number;
  /** base64 of the envelope of docs/envelope.md. */
  readonly wrappedAccountKey: string;
  /** Absent once every secret is under the account key. */
  readonly olderAccountKeys?: OlderAccountKeys;
  /**
   * By ring: no KEK before this one may seal the record, because those are being destroyed. Noted so that a writer who read the
   * record before finds it changed.
   */
  readonly keksFrom?: Readonly<Partial<Record<RingName, number>>>;
  /** Every use of the account key, and every reveal of a secret, leaves an audit entry: the customer's own access log. */
  readonly auditKeyUse?: boolean;
}

/** The wrapped key is gone already, so nothing can be opened any more; what is left is to clear away. */
export interface DeletingAccount extends AccountFacts {
  readonly lifecycle: 'deleting';
  /** The row that is left to clear away. */
  readonly bound?: {
    readonly bindingId: string;
    readonly account: BoundAccount;
    /** The watch's last epoch that stands in the chain, and the key that its verdicts are told of. */
    readonly reconciledEpoch: number;
    readonly key: string;
  };
}

export type AccountRecord = ActiveAccount | DeletingAccount;

/** An account as it stands at the moment of a call: its record beside its watch. */
export interface AccountView {
  readonly record: ActiveAccount;
  /** The store's own tag of the row, for the conditional write that follows this read. */
  readonly etag: string;
  /** Absent under the system key. */
  readonly watch?: Watch;
}

/** The verdict on the version that wraps the account key. Absent under the system key, or when the watch has lost it. */
export function verdictOn(view: Pick<AccountView, 'record' | 'watch'>): Verdict | undefined {
  const { encryption } = view.record;
  return encryption.type === 'CustomerKey' ? view.watch?.versions[encryption.version] : undefined;
}

/** The account *is* its watch's verdict: one write of the watch refuses, or restores, all accounts of a key at once. */
export function stateOf(view: Pick<AccountView, 'record' | 'watch'>): AccountState {
  return verdictOn(view)?.status === 'Inaccessible' ? 'CustomerKeyInaccessible' : 'Enabled';
}

export const etagOf = (record: AccountRecord): string => `"${record.instanceId}.${record.revision}"`;

/** What the outer layer is bound to: the current key identifier, or the system key. */
export function wrappedByOf(encryption: Encryption): string {
  return encryption.type === 'SystemKey'
    ? 'SystemKey'
    : `https://${encryption.binding.vaultHost}/keys/${encryption.binding.keyName}/${encryption.version}`;
}

export const currentKeyIdentifier = (encryption: CustomerKeyEncryption): string => wrappedByOf(encryption);

/** The row that stands for this account under its binding. */
export function boundOf(
  record: Pick<ActiveAccount, 'name' | 'instanceId'>,
  encryption: CustomerKeyEncryption,
): BoundAccount {
  const { version, follows } = encryption;
  return { name: fold(record.name), instanceId: record.instanceId, version, follows };
}
