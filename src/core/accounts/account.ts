/** The stored account, and what follows from it and its watch. */
import type { ChainHead } from '../audit/auditEntry.ts';
import type { ArmPath } from '../base/armPath.ts';
import { fold } from '../base/names.ts';
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName } from '../base/vocabulary.ts';
import type { Binding } from '../customerKey/binding.ts';
import { versionedIdentifier } from '../customerKey/keyIdentifier.ts';
import type { BoundAccount } from '../watch/ports.ts';
import type { Verdict, Watch } from '../watch/watch.ts';

export type AccountState = 'Enabled' | 'CustomerKeyInaccessible' | 'PendingDeletion';

export interface CustomerKeyEncryption {
  readonly type: 'CustomerKey';
  /** As the customer wrote it; never rewritten. */
  readonly keyIdentifier: string;
  /** True for a versionless identifier: newer versions are followed. */
  readonly follows: boolean;
  /** The version that wraps the account key now. */
  readonly version: string;
  readonly binding: Binding;
  /** The last epoch of the watch that this account's chain has. */
  readonly reconciledEpoch: number;
  /** When the account key was last re-wrapped on this binding. Absent: never since the account uses this binding. */
  readonly rewrappedAt?: EpochMs;
}

export type Encryption = { readonly type: 'SystemKey' } | CustomerKeyEncryption;

/**
 * Account keys of earlier generations, while some of the account's secrets may still be encrypted under them. They
 * decrypt and never encrypt.
 *
 *   moving    a pass encrypts the secrets under the newest account key
 *   retiring  begins at least `olderKeyWaitMs` (rings/durations.ts) later. A pass that finds no secret under the older keys
 *             destroys them
 */
export interface OlderAccountKeys {
  readonly phase: 'moving' | 'retiring';
  readonly since: EpochMs;
  /** base64 of the envelope of docs/envelope.md, kind `accountKeys`: encrypted under the account key. */
  readonly keys: readonly { readonly generation: number; readonly sealed: string }[];
  /** How far the pass over the secrets has come. Absent: it begins. */
  readonly pass?: {
    /** The last row that it has met. */
    readonly after: string;
    /** Secrets under an older key that it has met. */
    readonly found: number;
    /** Of these, those that could not be decrypted. */
    readonly stuck: number;
  };
}

/**
 * One generation of the account key that has wrapped data keys. Callers hold the wrapped forms, so what opens them
 * stays until the operator destroys it, also when the account has a newer key; the account key itself is not retained
 * for that.
 */
export interface DataKeyGeneration {
  readonly generation: number;
  /** When it began to wrap data keys. */
  readonly since: EpochMs;
  /** When the account got a newer key. Absent: it is the newest. */
  readonly supersededAt?: EpochMs;
  /** base64 of the envelope of docs/envelope.md, kind `dataKeys`: sealed under the account key. Absent: destroyed. */
  readonly sealed?: string;
  readonly destroyedAt?: EpochMs;
}

/**
 * The waiting window of a deletion. Nothing is destroyed before `purgeAt`, and the account can be recovered until then.
 */
export interface PendingDeletion {
  readonly deletedAt: EpochMs;
  readonly purgeAt: EpochMs;
}

export type PassthroughProperties = Readonly<Record<string, unknown>>;

interface AccountFacts {
  /** As written at creation. The folded name is the account's partition. */
  readonly name: string;
  /** Differs from that of a later account of the same name. */
  readonly instanceId: string;
  /** The customer organisation of the account. It never changes. */
  readonly owner: string;
  readonly location: string;
  /** The path on the routes of Azure Media Services. It never changes. Absent: the account has none. */
  readonly place?: ArmPath;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** Counts writes. Instance and revision are the account's ETag. */
  readonly revision: number;
  readonly audit: ChainHead;
}

export interface ActiveAccount extends AccountFacts {
  readonly lifecycle: 'active';
  readonly tags: Readonly<Record<string, string>>;
  /** Properties of the Azure Media Services contract that have no meaning here. They are retained as received. */
  readonly kept?: PassthroughProperties;
  readonly encryption: Encryption;
  readonly accountKeyGeneration: number;
  /** base64 of the envelope of docs/envelope.md. */
  readonly wrappedAccountKey: string;
  /** Absent once every secret is under the account key. */
  readonly olderAccountKeys?: OlderAccountKeys;
  /**
   * By ring: no KEK before this generation may encrypt the record, because those are being destroyed. The record stores
   * it so that a writer who read the record earlier finds it changed.
   */
  readonly keksFrom?: Readonly<Partial<Record<RingName, number>>>;
  /** Absent until the account's first data key; in the order of generations. */
  readonly dataKeyGenerations?: readonly DataKeyGeneration[];
  /**
   * Shortens the lease of the account key: seconds, or 0 when every use must call the vault. Absent: the lease of the
   * service.
   */
  readonly leaseSeconds?: number;
  /**
   * Writes an audit entry for each use of the account key and each reveal of a secret: the customer's own access log.
   */
  readonly auditKeyUse?: boolean;
  /**
   * The account was deleted and can be recovered. Until then every call is refused but GET, LIST, DELETE and recover.
   */
  readonly pendingDeletion?: PendingDeletion;
}

/**
 * The wrapped key is already deleted, so no secret can be decrypted. The rest of the delete removes the remaining rows.
 */
export interface DeletingAccount extends AccountFacts {
  readonly lifecycle: 'deleting';
  /** The account has wrapped data keys: rows about their use are to be removed. */
  readonly hasDataKeys?: true;
  /** The bound row that the delete still has to remove. */
  readonly bound?: {
    readonly bindingId: string;
    readonly account: BoundAccount;
    /** The last epoch of the watch that the chain has, and the key identifier for its entries. */
    readonly reconciledEpoch: number;
    readonly key: string;
  };
}

export type AccountRecord = ActiveAccount | DeletingAccount;

/** An account at the moment of a call: its record and its watch. */
export interface AccountView {
  readonly record: ActiveAccount;
  /** The store's ETag of the row, for the conditional write that follows this read. */
  readonly etag: string;
  /** Absent under the system key. */
  readonly watch?: Watch;
  /** When record and watch were read. */
  readonly readAt?: EpochMs;
}

/**
 * The verdict on the version that wraps the account key. Absent under the system key, or when the watch does not have
 * the version.
 */
export function verdictOn(view: Pick<AccountView, 'record' | 'watch'>): Verdict | undefined {
  const { encryption } = view.record;
  return encryption.type === 'CustomerKey' ? view.watch?.versions[encryption.version] : undefined;
}

/**
 * The state follows from the watch of the key: one write of the watch blocks or restores all its accounts at once. The
 * account itself stores only the waiting window of a deletion.
 */
export function stateOf(view: Pick<AccountView, 'record' | 'watch'>): AccountState {
  if (view.record.pendingDeletion !== undefined) return 'PendingDeletion';
  return verdictOn(view)?.status === 'Inaccessible' ? 'CustomerKeyInaccessible' : 'Enabled';
}

export const isWrappedBy = ({ encryption }: ActiveAccount, bindingId: string, version: string): boolean =>
  encryption.type === 'CustomerKey' && encryption.binding.id === bindingId && encryption.version === version;

export const etagOf = (record: AccountRecord): string => `"${record.instanceId}.${record.revision}"`;

/** The part of a record that is needed to open its account key. */
export type WrappedAccount = Pick<
  ActiveAccount,
  'name' | 'instanceId' | 'accountKeyGeneration' | 'wrappedAccountKey'
> & {
  readonly encryption: WrappedBy;
};

type WrappedBy = { readonly type: 'SystemKey' } | Pick<CustomerKeyEncryption, 'type' | 'binding' | 'version'>;

/** The value that the outer layer binds: the current key identifier, or `SystemKey`. */
export function wrappedByOf(encryption: WrappedBy): string {
  return encryption.type === 'SystemKey' ? 'SystemKey' : versionedIdentifier(encryption.binding, encryption.version);
}

export const currentKeyIdentifier = (encryption: CustomerKeyEncryption): string => wrappedByOf(encryption);

/** The row of this account under its binding. */
export function boundOf(
  record: Pick<ActiveAccount, 'name' | 'instanceId'>,
  encryption: CustomerKeyEncryption,
): BoundAccount {
  const { version, follows } = encryption;
  return { name: fold(record.name), instanceId: record.instanceId, version, follows };
}

/**
 * An account key that was opened for one use, because the account permits no lease, ends this long after its unwrap
 * began. The time is for the answer of the vault to arrive.
 */
export const onceTermMs = 10_000;

/**
 * The policy as it is for this account: `leaseSeconds` of the account shorten the service's own, and 0 means no grace
 * either.
 */
export function leasePolicyOf({ leaseSeconds }: Pick<ActiveAccount, 'leaseSeconds'>, policy: Policy): Policy {
  if (leaseSeconds === 0) return { ...policy, leaseSeconds: onceTermMs / 1000, leaseGraceSeconds: 0 };
  return { ...policy, leaseSeconds: Math.min(policy.leaseSeconds, leaseSeconds ?? policy.leaseSeconds) };
}
