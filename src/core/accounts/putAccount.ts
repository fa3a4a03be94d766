/**
 * Creates and changes accounts.
 *
 * Order of a change to a customer key: validate the key (nothing is stored yet) → wrap and prove by a remote unwrap →
 * bound row → watch learns the version → claim vault and identity → record with its audit entry → read the watch again.
 * A crash in between leaves a surplus claim, row or watch, all harmless, and never a surplus record.
 */

import type { Actor, AuditFacts } from '../audit/auditEntry.ts';
import { type ArmPath, isSameArmPath } from '../base/armPath.ts';
import { type Bytes, wipe } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import { fold, foldRegion, parseAccountName, parseAmsName, parseOwner } from '../base/names.ts';
import { type Owned, parseCustomerKey, refuseForeign } from '../customerKey/acceptCustomerKey.ts';
import { bindingOf } from '../customerKey/binding.ts';
import { keyIdentifierTarget, parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Rings } from '../rings/ring.ts';
import { isSealStillValid } from '../rings/staleWriter.ts';
import {
  type AccountView,
  type ActiveAccount,
  type Encryption,
  etagOf,
  type PassthroughProperties,
  wrappedByOf,
} from './account.ts';
import { assertRingsOpenStoredKey } from './accountKey.ts';
import { bind, confirmWatched } from './bindAccount.ts';
import { finishDelete } from './deleteAccount.ts';
import type { AccountsDeps } from './deps.ts';
import { withKeyUse } from './keyUse.ts';
import { catchUp } from './missingVerdictEntries.ts';
import { boundedKept, keptAfter } from './passthroughProperties.ts';
import { changeKey, type EncryptionInput, protect, resealAccountKey } from './protectAccountKey.ts';
import { findAccount, getAccount } from './readAccount.ts';
import { removeLeftovers } from './removeLeftovers.ts';
import { saveKeyChange } from './saveKeyChange.ts';
import { settingsFacts } from './settingsFacts.ts';
import {
  checkPreconditions,
  insertAccount,
  type Preconditions,
  saveAccount,
  storedOf,
  withPreconditions,
} from './writeAccount.ts';

/** What a caller can set on an account. On an existing account an absent property stays as it is. */
export interface AccountInput {
  readonly owner?: string;
  readonly location?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly encryption?: EncryptionInput;
  readonly auditKeyUse?: boolean;
  readonly leaseSeconds?: number;
  readonly place?: ArmPath;
  /** Replaces the retained properties of the same names. */
  readonly kept?: PassthroughProperties;
}

/** What the caller may do beyond writing accounts. Nothing by default. */
export interface Permitted {
  /** Move an account from its customer key back to the system key. */
  readonly mayRelease?: boolean;
  /** Create accounts of these owners only. Absent: of any. */
  readonly owners?: ReadonlySet<string>;
}

export type SavedAccount = { readonly view: AccountView; readonly created: boolean };

/** PUT: creates the account, or changes it to the input. */
export function putAccount(
  name: string,
  input: AccountInput,
  conditions: Preconditions,
  actor: Actor,
  service: AccountsDeps,
  permitted: Permitted = {},
): Promise<SavedAccount> {
  const folded = parseAccountName(name);
  return racing(folded, input, service, async () => {
    const current = await findAccount(folded, service);
    checkPreconditions(conditions, current && etagOf(current.record));
    // A creation that was delayed too long and crashed may have left a key that no ring opens. Its retry must not
    // succeed.
    if (current !== undefined) await assertRingsOpenStoredKey(current.record, service);
    if (current === undefined) await createAccount(name, input, actor, service, permitted);
    else await withPreconditions(conditions, () => changeAccount(current, input, { actor, ...permitted }, service));
    return { view: await getAccount(folded, service), created: current === undefined };
  });
}

/** PATCH: changes the properties of the input. @throws Refusal AccountNotFound */
export function patchAccount(
  name: string,
  input: AccountInput,
  conditions: Preconditions,
  actor: Actor,
  service: AccountsDeps,
  permitted: Permitted = {},
): Promise<AccountView> {
  return racing(parseAccountName(name), input, service, async () => {
    const current = await getAccount(name, service);
    checkPreconditions(conditions, etagOf(current.record));
    await withPreconditions(conditions, () => changeAccount(current, input, { actor, ...permitted }, service));
    return getAccount(name, service);
  });
}

/**
 * Writers of this process that call no vault take turns at an account, so none of them loses a race to another. A
 * writer that may wait for a vault blocks no other writer, and decides again when it loses the race.
 */
function racing<T>(
  name: string,
  input: AccountInput,
  { serialize }: AccountsDeps,
  attempt: () => Promise<T>,
): Promise<T> {
  const race = () => retryLostRaces(attempt);
  return input.encryption === undefined ? serialize(name, race) : race();
}

function createAccount(
  name: string,
  input: AccountInput,
  actor: Actor,
  service: AccountsDeps,
  { owners }: Permitted,
): Promise<void> {
  const owned = ownedOf(input);
  if (owners?.has(owned.owner) === false)
    throw new Refusal('AuthorizationFailed', `The caller may create accounts of ${[...owners].join(', ')} only.`);
  const { tags = {}, auditKeyUse = false, leaseSeconds, place, kept } = input;
  if (place !== undefined) parseAmsName(name);
  const record = {
    name,
    instanceId: service.random.uuid(),
    ...owned,
    tags,
    auditKeyUse,
    ...defined({ leaseSeconds, place }),
    ...(kept === undefined ? {} : { kept: boundedKept(kept) }),
  };
  return withKeyUse({ record, purpose: 'create', actor }, service, (recording) =>
    create(record, input, actor, recording),
  );
}

type NewAccount = Pick<
  ActiveAccount,
  'name' | 'instanceId' | 'owner' | 'location' | 'tags' | 'auditKeyUse' | 'leaseSeconds' | 'place' | 'kept'
>;

async function create(about: NewAccount, input: AccountInput, actor: Actor, service: AccountsDeps): Promise<void> {
  const { name, instanceId, owner } = about;
  const now = service.clock.now();
  const { encryption: wanted = { type: 'SystemKey' } } = input;
  const place = { instanceId, account: fold(name), generation: 1 };
  if (wanted.type === 'CustomerKey') parseCustomerKey(wanted.keyIdentifier, service);
  const rings = await service.rings();
  const accountKey = service.random.bytes(32);
  try {
    const { proof, facts, ...key } = await protect(place, accountKey, wanted, about, service);
    await finishDelete(fold(name), service);
    await removeLeftovers(fold(name), service);
    await service.directory.put(fold(name));
    if (about.place !== undefined) await service.directory.put(fold(name), about.place);
    const encryption = await bind({ name, instanceId, owner }, key.encryption, proof, service);
    const created: AuditFacts = { type: 'AccountCreated', actor, key: wrappedByOf(encryption), ...facts };
    const record = { lifecycle: 'active', ...about, createdAt: now, updatedAt: now, ...key, encryption } as const;
    await insertAccount(record, created, service);
    await resealUntilValid(record, accountKey, rings, service);
    await confirmWatched(encryption, proof, service);
  } finally {
    wipe(accountKey);
  }
}

/**
 * Repeats until the saved key is under ring generations that will not be destroyed without it (rings/staleWriter.ts).
 */
async function resealUntilValid(
  { name, instanceId, accountKeyGeneration, encryption, wrappedAccountKey }: Omit<ActiveAccount, 'audit' | 'revision'>,
  accountKey: Bytes,
  used: Rings,
  service: AccountsDeps,
): Promise<void> {
  let [saved, rings] = [wrappedAccountKey, used];
  while (!(await isSealStillValid(rings, service))) {
    rings = await service.rings();
    const again = await resealAccountKey(
      { instanceId, account: fold(name), generation: accountKeyGeneration },
      accountKey,
      encryption,
      service,
    );
    const isOurs = await retryLostRaces(async () => {
      const stored = await service.accounts.read(fold(name));
      // Another writer has changed or deleted the record since: nothing is left to do here.
      if (stored?.value.lifecycle !== 'active' || stored.value.wrappedAccountKey !== saved) return false;
      const resealed = { type: 'AccountKeyResealed', actor: { kind: 'keyward', id: 'rings' } } as const;
      await saveAccount(
        { value: stored.value, etag: stored.etag },
        { ...stored.value, wrappedAccountKey: again },
        [resealed],
        service,
      );
      return true;
    });
    if (!isOurs) return;
    saved = again;
  }
}

async function changeAccount(
  current: AccountView,
  input: AccountInput,
  { actor, mayRelease = false }: Permitted & { readonly actor: Actor },
  service: AccountsDeps,
): Promise<void> {
  const { record, facts: pending } = catchUp(current.record, current.watch);
  refuseChange(record, input);
  // Before the account's current key is used.
  if (input.encryption?.type === 'CustomerKey') parseCustomerKey(input.encryption.keyIdentifier, service);
  await refuseRelease(record, input, mayRelease, service);
  const auditKeyUse = input.auditKeyUse ?? record.auditKeyUse ?? false;
  const tags = input.tags ?? record.tags;
  const kept = keptAfter(record.kept, input.kept);
  const { leaseSeconds } = input;
  const next = { ...record, tags, auditKeyUse, ...defined({ leaseSeconds, kept }) };
  const changes = settingsFacts(record, next, actor);
  if (input.encryption === undefined || isSameEncryption(record.encryption, input.encryption, service)) {
    if (changes.length > 0) await saveAccount(storedOf(current), next, [...pending, ...changes], service);
    return;
  }
  const { encryption } = input;
  await withKeyUse({ record: next, purpose: 'change', actor }, service, async (recording) => {
    const moved = await changeKey({ ...current, record }, encryption, recording);
    const change: AuditFacts = { type: 'AccountKeyChanged', actor };
    await saveKeyChange(current, next, moved, { pending: [...pending, ...changes], change }, recording);
  });
}

/** @throws Refusal PropertyNotChangeable */
export function refuseChange(record: ActiveAccount, input: AccountInput): void {
  if (input.owner !== undefined && input.owner !== record.owner) throw notChangeable('properties.owner', 'The owner');
  if (input.location !== undefined && foldRegion(input.location) !== foldRegion(record.location))
    throw notChangeable('location', 'The location');
  if (input.place !== undefined && !isSameArmPath(input.place, record.place))
    throw notChangeable('properties.resourceGroupName', 'The subscription and resource group');
}

/**
 * Whether the change takes the account out of the hold of its customer's vault: to the system key, or to a key in another
 * vault. The right to write accounts is not enough for that (INV-14).
 */
export function isRelease(
  { encryption }: ActiveAccount,
  input: EncryptionInput | undefined,
  { cloud }: Pick<AccountsDeps, 'cloud'>,
): boolean {
  if (encryption.type === 'SystemKey' || input === undefined) return false;
  if (input.type === 'SystemKey') return true;
  return parseKeyIdentifier(input.keyIdentifier, cloud).vaultHost !== encryption.binding.vaultHost;
}

/** @throws Refusal AuthorizationFailed; OwnerMismatch where the other vault is another owner's */
async function refuseRelease(
  record: ActiveAccount,
  { encryption }: AccountInput,
  mayRelease: boolean,
  service: AccountsDeps,
): Promise<void> {
  if (mayRelease || !isRelease(record, encryption, service)) return;
  if (encryption?.type === 'CustomerKey') {
    const key = parseKeyIdentifier(encryption.keyIdentifier, service.cloud);
    await refuseForeign(bindingOf(key, service.homeTenantId, encryption.identity), record.owner, service);
  }
  const where = encryption?.type === 'SystemKey' ? 'the system key' : 'a key in another vault';
  throw new Refusal(
    'AuthorizationFailed',
    `Changing an account from its customer key to ${where} needs the app role Keys.Release.`,
    { target: encryption?.type === 'SystemKey' ? 'properties.encryption.type' : keyIdentifierTarget },
  );
}

const notChangeable = (target: string, what: string): Refusal =>
  new Refusal('PropertyNotChangeable', `${what} of an account is set when it is created and never changes.`, {
    target,
  });

function isSameEncryption(current: Encryption, input: EncryptionInput, service: AccountsDeps): boolean {
  if (current.type === 'SystemKey' || input.type === 'SystemKey') return current.type === input.type;
  if (current.keyIdentifier !== input.keyIdentifier) return false;
  const identifier = parseKeyIdentifier(input.keyIdentifier, service.cloud);
  return bindingOf(identifier, service.homeTenantId, input.identity).id === current.binding.id;
}

/**
 * Owner and location of an account that does not exist yet. @throws Refusal InvalidRequestContent | InvalidParameter
 */
export function ownedOf(input: AccountInput): Owned {
  return { owner: parseOwner(needed(input.owner, 'properties.owner')), location: needed(input.location, 'location') };
}

function needed(value: string | undefined, target: string): string {
  if (value !== undefined && value !== '') return value;
  throw new Refusal('InvalidRequestContent', `A new account needs '${target}'.`, { target });
}
