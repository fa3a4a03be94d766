/**
 * Creating and changing accounts.
 *
 * Order on the way to a customer key, and why: check the key (nothing is stored yet) → wrap and prove by a remote unwrap →
 * claim vault and identity → watch knows the version → row under the binding → record with its audit entry → read the watch
 * again. Whatever dies in between leaves a claim, a watch or a row too many, all harmless, and never a record too many.
 */
import {
  type AccountView,
  type ActiveAccount,
  boundOf,
  type CustomerKeyEncryption,
  type Encryption,
  etagOf,
  wrappedByOf,
} from '../account.ts';
import { openAccountKey, type Proven, wrapByCustomerKey, wrapBySystemKey } from '../accountKeys.ts';
import type { Actor, AuditFacts } from '../audit.ts';
import { bindingOf } from '../binding.ts';
import { type Bytes, wipe } from '../bytes.ts';
import { catchUp } from '../catchUp.ts';
import { type AcceptedKey, acceptCustomerKey, type CustomerKeyWish, claimFor, keyTrouble } from '../customerKey.ts';
import type { KeyPlace } from '../envelope.ts';
import { Refusal, retryLostRaces } from '../errors.ts';
import { parseKeyIdentifier } from '../keyIdentifier.ts';
import { fold, parseAccountName, parseOwner } from '../names.ts';
import type { BoundAccount, Stored } from '../ports.ts';
import type { Service } from '../service.ts';
import { ensureWatched } from '../watching.ts';
import { finishDelete } from './delete.ts';
import { keyUnreachable } from './inaccessible.ts';
import { findAccount, getAccount } from './read.ts';
import {
  checkPreconditions,
  insertAccount,
  type Preconditions,
  saveAccount,
  storedOf,
  withPreconditions,
} from './write.ts';

export type EncryptionWish = { readonly type: 'SystemKey' } | ({ readonly type: 'CustomerKey' } & CustomerKeyWish);

/** What a caller may say about an account. On an existing account an absent property stays as it is. */
export interface AccountWish {
  readonly owner?: string;
  readonly location?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly encryption?: EncryptionWish;
}

export type Written = { readonly view: AccountView; readonly created: boolean };

/** PUT: creates the account, or changes it to the wish. */
export function putAccount(
  name: string,
  wish: AccountWish,
  conditions: Preconditions,
  actor: Actor,
  service: Service,
): Promise<Written> {
  const folded = parseAccountName(name);
  return retryLostRaces(async () => {
    const current = await findAccount(folded, service);
    checkPreconditions(conditions, current && etagOf(current.record));
    if (current === undefined) await createAccount(name, wish, actor, service);
    else await withPreconditions(conditions, () => changeAccount(current, wish, actor, service));
    return { view: await getAccount(folded, service), created: current === undefined };
  });
}

/** PATCH: changes what the wish names. @throws Refusal AccountNotFound */
export function patchAccount(
  name: string,
  wish: AccountWish,
  conditions: Preconditions,
  actor: Actor,
  service: Service,
): Promise<AccountView> {
  return retryLostRaces(async () => {
    const current = await getAccount(name, service);
    checkPreconditions(conditions, etagOf(current.record));
    await withPreconditions(conditions, () => changeAccount(current, wish, actor, service));
    return getAccount(name, service);
  });
}

async function createAccount(name: string, wish: AccountWish, actor: Actor, service: Service): Promise<void> {
  const owner = parseOwner(needed(wish.owner, 'properties.owner'));
  const location = needed(wish.location, 'location');
  const now = service.clock.now();
  const instanceId = service.random.uuid();
  const place: KeyPlace = { instanceId, generation: 1 };
  const accountKey = service.random.bytes(32);
  try {
    const { encryption, wrappedAccountKey, facts } = await protectNewKey(
      place,
      accountKey,
      wish,
      { owner, location },
      service,
    );
    await service.directory.put(fold(name));
    await finishDelete(fold(name), service);
    await prepareBinding({ name, instanceId }, encryption, service);
    const record = {
      lifecycle: 'active',
      ...{ name, instanceId, owner, location, encryption, wrappedAccountKey },
      ...{ createdAt: now, updatedAt: now, tags: wish.tags ?? {}, accountKeyGeneration: 1 },
    } as const;
    await insertAccount(record, { type: 'AccountCreated', actor, key: wrappedByOf(encryption), ...facts }, service);
    await confirmWatched(encryption, now, service);
  } finally {
    wipe(accountKey);
  }
}

/** An account key of a new generation under the wish's key: nothing older opens what it will protect. */
async function protectNewKey(
  place: KeyPlace,
  accountKey: Bytes,
  wish: AccountWish,
  account: { owner: string; location: string },
  service: Service,
): Promise<Protected> {
  if (wish.encryption === undefined || wish.encryption.type === 'SystemKey') {
    return {
      encryption: { type: 'SystemKey' },
      wrappedAccountKey: await wrapBySystemKey(place, accountKey, service),
      facts: {},
    };
  }
  return protectByCustomerKey(place, accountKey, wish.encryption, account, service);
}

interface Protected {
  readonly encryption: Encryption;
  readonly wrappedAccountKey: string;
  /** Key Vault's request id of the proof. */
  readonly facts: Pick<AuditFacts, 'keyVaultRequestId'>;
}

async function protectByCustomerKey(
  place: KeyPlace,
  accountKey: Bytes,
  wish: CustomerKeyWish,
  account: { owner: string; location: string },
  service: Service,
): Promise<Protected> {
  const accepted = await acceptCustomerKey(wish, account, service);
  const proven = await wrapByCustomerKey(place, accountKey, accepted.binding, accepted.description, service);
  if (!proven.ok) throw keyTrouble(proven.cause, accepted.binding, proven.observed);
  await claimFor(account.owner, accepted.binding, service);
  const watch = await ensureWatched(accepted.binding, accepted.description.version, proven.value.at, service);
  return {
    encryption: encryptionBy(accepted, watch.epoch),
    wrappedAccountKey: proven.value.wrappedAccountKey,
    facts: requestIdOf(proven.value),
  };
}

function encryptionBy(accepted: AcceptedKey, reconciledEpoch: number): CustomerKeyEncryption {
  const { identifier, binding, description } = accepted;
  return {
    type: 'CustomerKey',
    keyIdentifier: identifier.text,
    follows: identifier.version === undefined,
    version: description.version,
    binding,
    reconciledEpoch,
  };
}

async function changeAccount(current: AccountView, wish: AccountWish, actor: Actor, service: Service): Promise<void> {
  const { record, facts: pending } = catchUp(current.record, current.watch);
  refuseChange(record, wish);
  const tags = wish.tags ?? record.tags;
  if (wish.encryption === undefined || isSameEncryption(record.encryption, wish.encryption, service)) {
    if (tags === record.tags) return;
    await saveAccount(storedOf(current), { ...record, tags }, [...pending, { type: 'AccountUpdated', actor }], service);
    return;
  }
  const moved = await moveAccountKey({ ...current, record }, wish.encryption, service);
  const leaving = await rowToLeave(record, service);
  await prepareBinding(record, moved.record.encryption, service);
  const facts: AuditFacts = {
    type: 'AccountKeyChanged',
    actor,
    before: wrappedByOf(record.encryption),
    after: wrappedByOf(moved.record.encryption),
    ...moved.facts,
  };
  await saveAccount(storedOf(current), { ...moved.record, tags }, [...pending, facts], service);
  await confirmWatched(moved.record.encryption, service.clock.now(), service);
  await leaveBinding(record.encryption, moved.record.encryption, leaving, service);
}

/** From one key to another. Leaving a customer key takes a fresh remote unwrap under it, never a lease (INV-12). */
async function moveAccountKey(
  current: AccountView,
  wish: EncryptionWish,
  service: Service,
): Promise<{ record: ActiveAccount; facts: Pick<AuditFacts, 'keyVaultRequestId'> }> {
  const { record } = current;
  if (record.encryption.type === 'SystemKey' && wish.type === 'CustomerKey') {
    const generation = record.accountKeyGeneration + 1;
    const accountKey = service.random.bytes(32);
    try {
      const place = { instanceId: record.instanceId, generation };
      const { encryption, wrappedAccountKey, facts } = await protectByCustomerKey(
        place,
        accountKey,
        wish,
        record,
        service,
      );
      return { record: { ...record, encryption, wrappedAccountKey, accountKeyGeneration: generation }, facts };
    } finally {
      wipe(accountKey);
    }
  }
  const opened = await openAccountKey(record, service);
  if (!opened.ok) throw keyUnreachable(current, opened.cause);
  try {
    const place = { instanceId: record.instanceId, generation: record.accountKeyGeneration };
    const { encryption, wrappedAccountKey, facts } = await protectNewKey(
      place,
      opened.value,
      { encryption: wish },
      record,
      service,
    );
    return { record: { ...record, encryption, wrappedAccountKey }, facts };
  } finally {
    wipe(opened.value);
  }
}

function refuseChange(record: ActiveAccount, wish: AccountWish): void {
  if (wish.owner !== undefined && wish.owner !== record.owner) throw notChangeable('properties.owner', 'The owner');
  if (wish.location !== undefined && fold(wish.location) !== fold(record.location))
    throw notChangeable('location', 'The location');
}

const notChangeable = (target: string, what: string): Refusal =>
  new Refusal('PropertyNotChangeable', `${what} of an account is set when it is created and never changes.`, {
    target,
  });

function isSameEncryption(current: Encryption, wish: EncryptionWish, service: Service): boolean {
  if (current.type === 'SystemKey' || wish.type === 'SystemKey') return current.type === wish.type;
  if (current.keyIdentifier !== wish.keyIdentifier) return false;
  const identifier = parseKeyIdentifier(wish.keyIdentifier, service.cloud);
  return bindingOf(identifier, service.homeTenantId, wish.identity).id === current.binding.id;
}

/** The row comes before the record: an extra one is a hint too many, a missing one an account that nobody visits. */
async function prepareBinding(
  record: Pick<ActiveAccount, 'name' | 'instanceId'>,
  encryption: Encryption,
  service: Service,
): Promise<void> {
  if (encryption.type === 'CustomerKey')
    await service.bindings.putAccount(encryption.binding.id, boundOf(record, encryption));
}

/** A version that nobody seemed to use may have left the watch while the row was written: put it back. */
async function confirmWatched(encryption: Encryption, provenAt: number, service: Service): Promise<void> {
  if (encryption.type === 'SystemKey') return;
  const watch = await service.bindings.readWatch(encryption.binding.id);
  if (watch?.value.versions[encryption.version] === undefined)
    await ensureWatched(encryption.binding, encryption.version, provenAt, service);
}

/** The row of the key that the account is leaving, as it stands before the record is written. */
async function rowToLeave(record: ActiveAccount, service: Service): Promise<Stored<BoundAccount> | undefined> {
  const { encryption } = record;
  if (encryption.type === 'SystemKey') return undefined;
  return service.bindings.readAccount(encryption.binding.id, boundOf(record, encryption));
}

async function leaveBinding(
  before: Encryption,
  after: Encryption,
  row: Stored<BoundAccount> | undefined,
  service: Service,
): Promise<void> {
  if (before.type === 'SystemKey' || row === undefined || wrappedByOf(before) === wrappedByOf(after)) return;
  await service.bindings.removeAccount(before.binding.id, row);
}

function needed(value: string | undefined, target: string): string {
  if (value !== undefined && value !== '') return value;
  throw new Refusal('InvalidRequestContent', `A new account needs '${target}'.`, { target });
}

const requestIdOf = (proven: Proven): Pick<AuditFacts, 'keyVaultRequestId'> =>
  proven.observed.requestId === undefined ? {} : { keyVaultRequestId: proven.observed.requestId };
