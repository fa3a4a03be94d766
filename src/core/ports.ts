/**
 * What the core needs from outside, in its own words. Adapters stand in src/azure, one a port. A port answers with
 * values where the answer is an expected one (a denial, a missing row, a lost race told by name) and throws
 * `Unavailable` when the store itself does not answer.
 */
import type { AccountRecord } from './account.ts';
import type { Announcement } from './announcements/announcement.ts';
import type { AuditEntry, ChainHead, Trigger } from './audit.ts';
import type { Binding } from './binding.ts';
import type { Bytes } from './bytes.ts';
import type { Cause } from './causes.ts';
import type { ChainRow, Flaw } from './chainCheck.ts';
import type { Operation } from './operations/operation.ts';
import type { Place } from './place.ts';
import type { ResourceRef, ResourceRow } from './resources/resource.ts';
import type { KeyCheck, RingName, RingRotation, RingRow, RingState, StoredRings } from './rings/ring.ts';
import type { SealedKind } from './secretEnvelope.ts';
import type { EpochMs } from './time.ts';
import type { Budget } from './vaultBudget.ts';
import type { Watch } from './watch.ts';

export interface Clock {
  now(): EpochMs;
  /** Milliseconds from any fixed moment: never goes back, whatever becomes of the wall clock. */
  monotonic(): number;
}

export interface Random {
  bytes(length: number): Bytes;
  uuid(): string;
}

/** Constant messages, variable fields; never key material, tokens, wrapped blobs, query strings or upstream bodies. */
export interface Log {
  info<F extends LogFields>(message: string, fields?: Known<F>): void;
  warn<F extends LogFields>(message: string, fields?: Known<F>): void;
  error<F extends LogFields>(message: string, fields?: Known<F>): void;
}

/** Every field that a log line can have: what is not in here is not logged. */
interface FieldTypes {
  /** Names of ours. */
  account: string;
  bindingId: string;
  vault: string;
  visit: string;
  key: string;
  version: string;
  secret: string;
  resource: string;
  kind: SecretKind;
  first: string;
  actorKind: string;
  actor: string;
  chain: string;
  eventId: string;
  eventType: string;
  keyVaultRequestId: string;
  /** Words of closed lists. */
  cause: Cause | 'none';
  controlLook: 'good' | 'failed';
  ring: RingName;
  flaw: Flaw;
  phase: RingRotation['phase'];
  role: RingRow['role'];
  /** `describeError`. */
  error: string;
  /** Numbers. */
  durationMs: number;
  lateMs: number;
  vaults: number;
  concerns: number;
  woken: number | boolean;
  events: number;
  strange: number;
  left: number;
  cleared: number;
  count: number;
  found: number;
  moved: number;
  stuck: number;
  round: number;
  visited: number;
  generation: number;
  sealing: number;
  sequence: number;
  /** Of metrics (metrics.ts). */
  metric: string;
  value: number;
  status: string;
  from: string;
  to: string;
  result: string;
  code: string;
}
export type LogFields = { readonly [Name in keyof FieldTypes]?: FieldTypes[Name] | undefined };
/** A spread brings no other field in either. */
type Known<F> = F & { readonly [Name in Exclude<keyof F, keyof LogFields>]: never };

/** How a key is reached: the part of a binding that an adapter needs. */
export type Reach = Pick<Binding, 'vaultHost' | 'vaultName' | 'keyName' | 'tenantId' | 'identity'>;

/** What the transport saw while it asked, for logs and audit. */
export interface Observed {
  readonly status?: number;
  readonly innerCode?: string;
  readonly networkCode?: string;
  /** Key Vault's `x-ms-request-id`: what its support asks for, and what the customer's own log shows. */
  readonly requestId?: string;
  readonly region?: string;
  readonly retryAfterSeconds?: number;
  readonly durationMs: number;
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T; readonly observed: Observed }
  | { readonly ok: false; readonly cause: Cause; readonly observed: Observed };

/** A key version as the vault describes it. */
export interface KeyDescription {
  readonly version: string;
  readonly keyType: string;
  /** Modulus length; 0 when the key is not RSA. */
  readonly bits: number;
  readonly enabled: boolean;
  readonly notBefore?: EpochMs;
  readonly expiresOn?: EpochMs;
  readonly operations: readonly string[];
  readonly recoveryLevel: string;
  readonly region?: string;
  readonly publicKey: RsaPublicKey;
  /** The customer's own words. */
  readonly tags?: Readonly<Record<string, string>>;
}

export interface RsaPublicKey {
  readonly n: Bytes;
  readonly e: Bytes;
}

/** Key Vault. Causes come as values; nothing here throws for what a vault answers, or does not answer. */
export interface KeyVault {
  /** The named version, or the latest. */
  describe(reach: Reach, version?: string): Promise<Answer<KeyDescription>>;
  /** A remote unwrap (RSA-OAEP-256) by exactly this version. The caller wipes the value. */
  unwrap(reach: Reach, version: string, wrapped: Bytes): Promise<Answer<Bytes>>;
  /** Local: RSA-OAEP-256 with the public key, as Key Vault's own guidance advises. Proves nothing until unwrapped remotely. */
  wrap(key: RsaPublicKey, plain: Bytes): Bytes;
}

export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
}

/** Accounts with their audit entries, one partition an account. @throws LostRace when the etag no longer fits. */
export interface AccountStore {
  read(name: string): Promise<Stored<AccountRecord> | undefined>;
  /** Inserts record and entries in one batch. @throws LostRace when the name is taken. */
  create(record: AccountRecord, entries: readonly AuditEntry[]): Promise<void>;
  /** Replaces the record and inserts the entries, in one batch. */
  save(record: Stored<AccountRecord>, entries: readonly AuditEntry[]): Promise<void>;
  /** Replaces the record by a tombstone that keeps the audit's head; the audit stays. */
  bury(record: Stored<AccountRecord>): Promise<void>;
  audit(name: string, instanceId: string, page: ChainPageRequest): Promise<ChainPage>;
  /** For the audit: the record, whatever somebody has made of it. */
  kept(name: string): Promise<Kept | undefined>;
  /** A Tombstone, unless somebody has written over it. */
  tombstone(name: string, instanceId: string): Promise<Kept | undefined>;
  /** Of all accounts that had the name, in the order of their ids. */
  tombstones(name: string, page: ChainPageRequest): Promise<{ tombstones: Kept[]; next?: string }>;
  /** Names of all records, in order, from the accounts' own table: none that a list has lost is left out. */
  names(limit: number, after?: string): Promise<string[]>;
}

/** A row that keeps a chain's head, as it stands: `value` may be anything, and is undefined where nothing of ours is in it. */
export interface Kept {
  readonly value: unknown;
}

/** What is left of an account that was deleted. */
export interface Tombstone {
  readonly name: string;
  readonly instanceId: string;
  readonly owner: string;
  readonly audit: ChainHead;
  readonly deletedAt: EpochMs;
}

export interface ChainPageRequest {
  readonly limit: number;
  /** A page's `next`. */
  readonly after?: string;
}

/** Rows of a chain as they stand, in the order of their places. */
export interface ChainPage {
  readonly rows: readonly ChainRow[];
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

export type SecretKind = Exclude<SealedKind, 'accountKeys'>;

/** Where a secret stands; account and name folded. */
export interface SecretRef {
  readonly account: string;
  readonly kind: SecretKind;
  readonly name: string;
}

/** A protected secret, and what may be told of it. */
export interface SecretRow {
  /** As written. */
  readonly name: string;
  readonly label?: string;
  /** base64 of the envelope of docs/envelope.md. */
  readonly sealed: string;
  /** New with every value; the secret's ETag. Moving it under another key is no change. */
  readonly version: string;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** The resource that the secret was written for: once nothing names it, it goes. Absent: it stands for itself. */
  readonly of?: string;
}

export type StoredSecret = Stored<SecretRow> & { readonly ref: SecretRef };

export interface SecretPage {
  readonly rows: readonly StoredSecret[];
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

/** Secrets, in their account's partition. Every write is conditional; one that was too late answers undefined, or false. */
export interface SecretStore {
  read(ref: SecretRef): Promise<StoredSecret | undefined>;
  /** In the order of names; of one kind, or all. */
  page(account: string, asked: { kind?: SecretKind; limit: number; after?: string }): Promise<SecretPage>;
  insert(ref: SecretRef, row: SecretRow): Promise<string | undefined>;
  replace(ref: SecretRef, row: SecretRow, etag: string): Promise<string | undefined>;
  remove(ref: SecretRef, etag: string): Promise<boolean>;
  /**
   * Removes every secret of an account while its record is as it was read: answers with the record's etag after that. Can stop anywhere
   * and be begun again. @throws LostRace
   */
  clear(account: string, recordEtag: string): Promise<string>;
}

export type StoredResource = Stored<ResourceRow> & {
  readonly ref: ResourceRef;
  /** The row has not the form of a resource: its value stands in for it, and is no account's. What it named is not known. */
  readonly isDamaged?: true;
};

/** Resources of another contract, in their account's partition. Every write is conditional; one that was too late answers undefined, or false. */
export interface ResourceStore {
  read(ref: ResourceRef): Promise<StoredResource | undefined>;
  /** In the order of names; `under`: those of one parent. */
  page(list: ResourceList, limit: number, after?: string): Promise<readonly StoredResource[]>;
  insert(ref: ResourceRef, row: ResourceRow): Promise<string | undefined>;
  replace(ref: ResourceRef, row: ResourceRow, etag: string): Promise<string | undefined>;
  remove(ref: ResourceRef, etag: string): Promise<boolean>;
  /** Removes every resource of an account, as `SecretStore.clear` does. @throws LostRace */
  clear(account: string, recordEtag: string): Promise<string>;
}

export type ResourceList = Pick<ResourceRef, 'account' | 'type' | 'under'>;

/** Long-running operations, by day. */
export interface OperationStore {
  read(id: string): Promise<Stored<Operation> | undefined>;
  insert(operation: Operation): Promise<void>;
  /** @throws LostRace when the etag no longer fits. */
  replace(operation: Stored<Operation>): Promise<void>;
  /** That an account was, or is about to be, deleted at its place; the name folded. */
  markDeleted(account: string, place: Place, at: EpochMs): Promise<void>;
  /** Whether there is such a mark of that time. */
  isDeletedSince(account: string, place: Place, time: { from: EpochMs; to: EpochMs }): Promise<boolean>;
  /** Removes some of those of days before the one given (`20261127`), and answers how many: none are left when it is 0. */
  clearBefore(day: string): Promise<number>;
}

/**
 * One account's row under its binding and version: a hint of who to visit, never the truth about the account. A row is put
 * down before a record names its version, and taken away under its etag after the record has left it.
 */
export interface BoundAccount {
  readonly name: string;
  readonly instanceId: string;
  readonly version: string;
  readonly follows: boolean;
}

export interface BoundPage {
  readonly rows: readonly (Stored<BoundAccount> & { readonly writtenAt: EpochMs })[];
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

/** Watches with their audit entries and the accounts bound, one partition a binding. */
export interface BindingStore {
  readWatch(bindingId: string): Promise<Stored<Watch> | undefined>;
  /** For the audit: the watch, whatever somebody has made of it. */
  kept(bindingId: string): Promise<Kept | undefined>;
  /** Insert if absent. @throws LostRace when it exists. */
  createWatch(watch: Watch, entries: readonly AuditEntry[]): Promise<void>;
  /** @throws LostRace when the etag no longer fits. Answers with the new etag. */
  saveWatch(watch: Stored<Watch>, entries: readonly AuditEntry[]): Promise<Stored<Watch>>;
  /** Idempotent; changes the row's etag every time. */
  putAccount(bindingId: string, account: BoundAccount): Promise<void>;
  readAccount(bindingId: string, account: BoundAccount): Promise<Stored<BoundAccount> | undefined>;
  /** Only while the etag fits; a row that has changed, or is gone, is left as it is. */
  removeAccount(bindingId: string, row: Stored<BoundAccount>): Promise<void>;
  accounts(bindingId: string, page: AccountPageRequest): Promise<BoundPage>;
  audit(bindingId: string, page: ChainPageRequest): Promise<ChainPage>;
}

export interface AccountPageRequest {
  /** Absent: whatever version. */
  readonly version?: string;
  readonly limit: number;
  readonly onlyFollowing?: boolean;
  readonly from?: string;
}

/** Which bindings a vault has, and who works on it. */
export interface VaultStore {
  /** Idempotent: puts the binding into the vault's partition. */
  addBinding(vaultHost: string, bindingId: string): Promise<void>;
  bindings(vaultId: string): Promise<string[]>;
  /** Every vault that has a binding. */
  list(): AsyncIterable<string>;
  /** Makes the caller the vault's only worker until the time given; undefined: somebody else is. */
  beginWork(vaultId: string, now: EpochMs, until: EpochMs): Promise<WorkTicket | undefined>;
  /** A worker that is slow goes on; undefined: its time had run out and somebody else has begun. */
  keepWork(vaultId: string, ticket: WorkTicket, until: EpochMs): Promise<WorkTicket | undefined>;
  /** Harmless when the ticket has run out and somebody else has begun. */
  endWork(vaultId: string, ticket: WorkTicket): Promise<void>;
  /** What the vault's workers have left to spend: travels from one to the next. Only the worker writes it. */
  readBudget(vaultId: string): Promise<Budget | undefined>;
  saveBudget(vaultId: string, budget: Budget): Promise<void>;
}

/** When the last sweep ended: shows everybody whether the timer runs. */
export interface SweepMark {
  read(): Promise<EpochMs | undefined>;
  write(at: EpochMs): Promise<void>;
}

/** Shows who the worker of a vault is: the etag of its row. */
export type WorkTicket = string & { readonly ticket: unique symbol };

export type PlaceList = Pick<Place, 'subscriptionId'> & Partial<Place>;

/** The order in which LIST shows accounts: by name. Rows are hints; the record decides. */
export interface Directory {
  /** Idempotent; changes the row's etag every time. With a place: among the accounts of its subscription, by group and name. */
  put(name: string, place?: Place): Promise<void>;
  /** The row's etag. */
  find(name: string, place?: Place): Promise<string | undefined>;
  /** Only while the etag fits. */
  remove(name: string, etag: string, place?: Place): Promise<void>;
  page(limit: number, after?: string): Promise<{ names: string[]; next?: string }>;
  /** Of a subscription, or of one group of it. */
  pageOf(list: PlaceList, limit: number, after?: string): Promise<{ names: string[]; next?: string }>;
}

export type ClaimKind = 'vault' | 'tenant' | 'userAssignedIdentity';

export interface Claim {
  readonly kind: ClaimKind;
  /** Folded. */
  readonly value: string;
  readonly owner: string;
  readonly at: EpochMs;
  /** Somebody is about to release it. It still counts, and whoever claims it takes the mark away. */
  readonly isReleasing?: true;
}

/** What belongs to which owner (insert if absent). */
export interface Claims {
  find(kind: ClaimKind, value: string): Promise<Stored<Claim> | undefined>;
  /** The owner that holds the claim afterwards: the caller, or whoever was first. @throws LostRace while it is being released. */
  claim(kind: ClaimKind, value: string, owner: string, at: EpochMs): Promise<string>;
  /** Only as it was read; undefined: it has changed, or is gone. */
  mark(claim: Stored<Claim>, isReleasing: boolean): Promise<Stored<Claim> | undefined>;
  /** Only as it was read; false: it has changed, or is gone. */
  release(claim: Stored<Claim>): Promise<boolean>;
}

/** The service's own chain: head and entries in one partition. */
export interface ServiceAuditStore {
  head(): Promise<Stored<ChainHead> | undefined>;
  /** For the audit: the head, whatever somebody has made of it. */
  kept(): Promise<Kept | undefined>;
  /** Head and entries in one batch. @throws LostRace when another writer was faster. */
  append(etag: string | undefined, head: ChainHead, entries: readonly AuditEntry[]): Promise<void>;
  audit(page: ChainPageRequest): Promise<ChainPage>;
}

/** What a chain is about, as an announcement tells it. */
export type ChainSubject =
  | { readonly kind: 'account'; readonly name: string; readonly owner: string }
  | { readonly kind: 'binding'; readonly keyIdentifier: string }
  | { readonly kind: 'service' };

/** Entries that are about to be committed, and so to be announced: written before the batch that holds them. */
export interface OutboxRow {
  /** Unique: writers that race for a sequence number have a row each. */
  readonly id: string;
  readonly chain: string;
  readonly subject: ChainSubject;
  /** Sequence number of the first; the others follow without a gap. */
  readonly first: number;
  /** One for each entry: shows whether it is this writer's that stands at its place. */
  readonly hashes: readonly string[];
  readonly at: EpochMs;
  /** The topic does not take it, and has been told of: it is tried again, and makes nothing late. */
  readonly isRefused?: true | undefined;
}

export interface OutboxPage {
  readonly rows: readonly OutboxRow[];
  /** Rows that are none of ours, or damaged: passed by. */
  readonly unreadable: number;
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

export interface Standing {
  readonly entries: readonly AuditEntry[];
  /** Places where something stands that is no entry. */
  readonly unreadable: number;
}

/** What is still to be announced. */
export interface Outbox {
  put(row: OutboxRow): Promise<void>;
  /** Harmless when it is gone. */
  remove(row: OutboxRow): Promise<void>;
  /** Rows written before the time given, in order of chain and sequence. */
  page(asked: { before: EpochMs; limit: number; after?: string | undefined }): Promise<OutboxPage>;
  /** What stands in the chain at the places of the row, whoever wrote it. Each is read by itself: a batch may come in between. */
  entries(row: OutboxRow): Promise<Standing>;
}

/** `refused`: the topic does not take these events, however often it is asked. `failed`: now, or us. `status` is for the log. */
export type Published =
  | { readonly outcome: 'published' }
  | { readonly outcome: 'refused' | 'failed'; readonly status: string };

/** Where announcements go. Ends within seconds, and nothing here throws. */
export interface AnnouncementTopic {
  publish(announcements: readonly Announcement[]): Promise<Published>;
}

/** Ring rows are insert-only but for wrappings that a newer, proven one has replaced, and generations that are destroyed. */
export interface RingStore {
  read(): Promise<StoredRings>;
  /** False when its place is taken: one for each generation and key version, and one for the first wrapping of each generation. */
  insert(row: RingRow): Promise<boolean>;
  /** A first wrapping leaves its place taken: no late first start can make the generation again. */
  remove(row: RingRow): Promise<void>;
  /** Without an etag: only where there is none yet. @throws LostRace */
  saveState(ring: RingName, state: RingState, etag: string | undefined): Promise<void>;
  saveCheck(check: KeyCheck): Promise<void>;
}

/** Wake-ups. What is due stands in the tables; a lost message costs time, never truth. */
export interface WorkQueue<Message> {
  send(message: Message, delayMs?: number): Promise<void>;
}

export interface VaultWork {
  readonly vault: string;
  /** Look at the vault's keys now (at most once per key per `lookSpacingSeconds`): all of them, or the one named. */
  readonly lookNow?: { readonly keyName?: string };
  /** Who asked; of an event, which. */
  readonly askedBy: Trigger['trigger'];
  readonly eventId?: string;
}

/** A pass over an account's secrets that brings them under its newest key, and how far it is. */
export interface MoveWork {
  readonly visit: 'secrets';
  readonly account: string;
  /** The phase that the pass belongs to: another one begins from the start. */
  readonly since?: EpochMs | undefined;
  readonly after?: string | undefined;
  /** Secrets under an older key that this pass has met. */
  readonly found?: number | undefined;
  /** Of these, not to be opened. */
  readonly stuck?: number | undefined;
  /** How often the chain of messages has paused in this phase. */
  readonly pauses?: number | undefined;
}

/** Clearing secrets that were written for a resource and that none names. */
export interface UnnamedWork {
  readonly visit: 'unnamed';
  readonly account: string;
  readonly after?: string | undefined;
}

/** One page of the daily pass, and other work in the background. */
export type DailyWork =
  | { readonly visit: 'accounts'; readonly after?: string }
  | { readonly visit: 'rows'; readonly vault: string }
  /** Go on with the pass of this ring's rotation. */
  | { readonly visit: 'ring'; readonly ring: RingName }
  /** Look at the operator's own keys now, unless somebody has since. */
  | { readonly visit: 'operatorKeys'; readonly askedAt: EpochMs }
  /** Announce what has been waiting. */
  | { readonly visit: 'announcements'; readonly after?: string | undefined }
  /** Try an operation again that met a silent vault. */
  | { readonly visit: 'operation'; readonly operation: string }
  /** Clear operations of days that are over. */
  | { readonly visit: 'operations' }
  | UnnamedWork
  | MoveWork;
