/**
 * The rows of the overview index. One partition per owner has a row for each of the owner's keys, directly followed by
 * the rows of the key's accounts: one range query reads accounts together with the key that decides their state. The
 * rows are copies. The record and the watch decide.
 */
import canonicalize from 'canonicalize';
import type { ActiveAccount, PendingDeletion } from '../accounts/account.ts';
import { defined } from '../base/defined.ts';
import { fold } from '../base/names.ts';
import type { EpochMs } from '../base/time.ts';
import { statusOfKey, type Verdict, type Watch } from '../watch/watch.ts';

/** An account as the index has it: what changes with a write of the account, and not with a re-wrap or a look. */
export interface IndexedAccount {
  readonly name: string;
  readonly instanceId: string;
  readonly owner: string;
  readonly location: string;
  readonly createdAt: EpochMs;
  /** Of the record that was copied: an older copy never replaces a newer one. */
  readonly revision: number;
  readonly leaseSeconds?: number;
  /** Absent under the system key, and while the deletion is pending: then no key decides the state. */
  readonly key?: {
    readonly bindingId: string;
    readonly keyIdentifier: string;
    readonly follows: boolean;
  };
  /** The deletion is pending. With the key identifier of an account under a customer key. */
  readonly pendingDeletion?: PendingDeletion & { readonly keyIdentifier?: string };
}

/**
 * The watch as of its last change of status, cause, versions or warnings. Times that move with each look are those of
 * that moment.
 */
export type IndexedWatch = Omit<Watch, 'transitions' | 'forced' | 'provenTime'>;

export interface IndexedKey {
  readonly owner: string;
  readonly watch: IndexedWatch;
  /** Accounts that are bound to the key. */
  readonly accounts: number;
  /** Accounts by version, as of the last change of the watch; present where versions in use differ in status. */
  readonly byVersion?: Readonly<Record<string, number>>;
}

export type IndexRow =
  | { readonly kind: 'key'; readonly key: IndexedKey }
  | { readonly kind: 'account'; readonly account: IndexedAccount };

/**
 * A position in the order of the index: by owner, then by key, accounts under the system key before all keys. Without a
 * name it is the row of the key. Without either it is the begin of the owner.
 */
export interface IndexPosition {
  readonly owner: string;
  readonly bindingId?: string | undefined;
  readonly name?: string | undefined;
}

/** A key that is not well, as it is listed apart; with its accounts where they are few. */
export interface MarkedKey {
  readonly key: IndexedKey;
  readonly accounts?: readonly IndexedAccount[];
}

export const positionOf = (row: IndexRow): IndexPosition =>
  row.kind === 'key'
    ? { owner: row.key.owner, bindingId: row.key.watch.binding.id }
    : { owner: row.account.owner, bindingId: row.account.key?.bindingId, name: row.account.name };

export function indexedAccountOf(record: ActiveAccount): IndexedAccount {
  const { instanceId, owner, location, createdAt, revision, leaseSeconds, encryption, pendingDeletion } = record;
  const keyIdentifier = encryption.type === 'SystemKey' ? undefined : encryption.keyIdentifier;
  return {
    name: fold(record.name),
    instanceId,
    owner,
    location,
    createdAt,
    revision,
    ...defined({ leaseSeconds }),
    ...(encryption.type === 'SystemKey' || pendingDeletion !== undefined ? {} : { key: keyOf(encryption) }),
    ...(pendingDeletion === undefined
      ? {}
      : { pendingDeletion: { ...pendingDeletion, ...defined({ keyIdentifier }) } }),
  };
}

const keyOf = (encryption: Extract<ActiveAccount['encryption'], { type: 'CustomerKey' }>) => ({
  bindingId: encryption.binding.id,
  keyIdentifier: encryption.keyIdentifier,
  follows: encryption.follows,
});

/** Everything but the revision, which each write of the record changes. */
export const isSameAccount = (
  { revision: _, ...one }: IndexedAccount,
  { revision: __, ...other }: IndexedAccount,
): boolean => canonicalize(one) === canonicalize(other);

export function indexedWatchOf(watch: Watch): IndexedWatch {
  const { transitions: _, forced: __, provenTime: ___, ...indexed } = watch;
  return indexed;
}

/** Text that differs exactly where the overview shows a difference. */
export function shownText(watch: IndexedWatch): string {
  const versions = Object.entries(watch.versions).map(([version, { status, cause, since }]) => [
    version,
    status,
    cause ?? '',
    since,
  ]);
  const expiries = Object.entries(watch.expiries ?? {}).map(([version, { expiresOn, warning }]) => [
    version,
    expiresOn ?? 0,
    warning ?? '',
  ]);
  const { latest, unusableVersion, newestUnread, superseded, targetVersion, rotation, calledAs } = watch;
  const rotating = rotation && { to: rotation.to, since: rotation.since, failed: rotation.failed };
  const shown = { versions, expiries, latest, unusableVersion, newestUnread, superseded, targetVersion, calledAs };
  return canonicalize({ ...shown, rotation: rotating }) ?? '';
}

/** Whether the first is a later state of the same watch, or the same state. Entries and looks only grow in number. */
export const isNoOlder = (one: IndexedWatch, other: IndexedWatch): boolean =>
  one.audit.sequence >= other.audit.sequence && one.lookCount >= other.lookCount;

/** Versions in use differ in status: the state of an account depends on the version that it is on. */
export const isMixed = ({ versions }: Pick<Watch, 'versions'>): boolean =>
  new Set(Object.values(versions).map(({ status }) => status)).size > 1;

/** The version with the worst verdict, and that verdict. Undefined: no version is in use. */
export function worstVersion({ versions }: Pick<Watch, 'versions'>): readonly [string, Verdict] | undefined {
  const worst = statusOfKey({ versions });
  return Object.entries(versions).find(([, { status }]) => status === worst);
}
