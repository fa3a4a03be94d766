/** Decides what a PUT or PATCH does to an account. Pure: putAccount.ts carries the plan out. */

import type { Actor, AuditFacts } from '../audit/auditFacts.ts';
import { type ArmPath, isSameArmPath } from '../base/armPath.ts';
import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import { foldRegion, parseAmsName, parseOwner } from '../base/names.ts';
import { type Owned, parseCustomerKey } from '../customerKey/acceptCustomerKey.ts';
import { type Binding, bindingOf } from '../customerKey/binding.ts';
import { keyIdentifierTarget, parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import { checkRegion } from '../customerKey/regions.ts';
import type { AccountView, ActiveAccount, Encryption, PassthroughProperties } from './account.ts';
import type { AccountsDeps } from './deps.ts';
import { catchUp } from './missingVerdictEntries.ts';
import { boundedProperties, propertiesAfter } from './passthroughProperties.ts';
import type { EncryptionInput } from './protectAccountKey.ts';
import { settingsFacts } from './settingsFacts.ts';

/** What a caller can set on an account. On an existing account an absent property keeps its value. */
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
export interface Permissions {
  /** Change an account from its customer key to the system key, or to a key in another vault. */
  readonly mayRelease?: boolean;
  /** Create accounts of these owners only. Absent: of any. */
  readonly owners?: ReadonlySet<string>;
}

export interface RequestedAccount {
  /** As the caller wrote it. */
  readonly name: string;
  readonly input: AccountInput;
  readonly actor: Actor;
  readonly permissions?: Permissions;
}

/** The properties of an account that its creation sets, without those of its key. */
export type NewAccount = Pick<
  ActiveAccount,
  'name' | 'owner' | 'location' | 'tags' | 'auditKeyUse' | 'leaseSeconds' | 'place' | 'kept'
>;

export type AccountPlan =
  | { readonly kind: 'create'; readonly account: NewAccount; readonly encryption: EncryptionInput }
  | { readonly kind: 'keep'; readonly before: AccountView }
  /** `facts` include the verdicts that the account's chain does not have yet. */
  | {
      readonly kind: 'saveSettings';
      readonly before: AccountView;
      readonly next: ActiveAccount;
      readonly facts: readonly AuditFacts[];
    }
  | {
      readonly kind: 'changeKey';
      readonly before: AccountView;
      readonly next: ActiveAccount;
      readonly facts: readonly AuditFacts[];
      readonly encryption: EncryptionInput;
    }
  /** `binding`: of a key in another vault. When that vault is another owner's, OwnerMismatch is the refusal instead. */
  | { readonly kind: 'refuseRelease'; readonly refusal: Refusal; readonly binding?: Binding; readonly owner: string };

type Configuration = Pick<AccountsDeps, 'cloud' | 'homeTenantId' | 'operatorVaults'>;

/** @throws Refusal of an input that no account, or not this one, can have */
export function planChange(
  current: AccountView | undefined,
  { name, input, actor, permissions = {} }: RequestedAccount,
  configuration: Configuration,
): AccountPlan {
  const { encryption = { type: 'SystemKey' } } = input;
  if (current === undefined) {
    const account = newAccount(name, input, permissions);
    checkRegion(account.location, configuration.cloud);
    if (encryption.type === 'CustomerKey') parseCustomerKey(encryption.keyIdentifier, configuration);
    return { kind: 'create', account, encryption };
  }
  refuseChange(current.record, input);
  if (encryption.type === 'CustomerKey') parseCustomerKey(encryption.keyIdentifier, configuration);
  if (permissions.mayRelease !== true && isRelease(current.record, input.encryption, configuration))
    return refusedRelease(current.record.owner, encryption, configuration);
  return planUpdate(current, input, actor, configuration);
}

function newAccount(name: string, input: AccountInput, permissions: Permissions): NewAccount {
  const owned = ownedOf(input, permissions);
  const { tags = {}, auditKeyUse = false, leaseSeconds, place, kept } = input;
  if (place !== undefined) parseAmsName(name);
  return {
    name,
    ...owned,
    tags,
    auditKeyUse,
    ...defined({ leaseSeconds, place, kept: kept === undefined ? undefined : boundedProperties(kept) }),
  };
}

function planUpdate(before: AccountView, input: AccountInput, actor: Actor, configuration: Configuration): AccountPlan {
  const { record, facts: missing } = catchUp(before.record, before.watch);
  const { tags = record.tags, auditKeyUse = record.auditKeyUse ?? false, leaseSeconds, encryption } = input;
  const kept = propertiesAfter(record.kept, input.kept);
  const next = { ...record, tags, auditKeyUse, ...defined({ leaseSeconds, kept }) };
  const changes = settingsFacts(record, next, actor);
  const facts = [...missing, ...changes];
  if (encryption !== undefined && !isSameEncryption(record.encryption, encryption, configuration))
    return { kind: 'changeKey', before, next, facts, encryption };
  return changes.length === 0 ? { kind: 'keep', before } : { kind: 'saveSettings', before, next, facts };
}

/** @throws Refusal PropertyNotChangeable */
export function refuseChange(record: ActiveAccount, input: AccountInput): void {
  if (input.owner !== undefined && input.owner !== record.owner) throw notChangeable('properties.owner', 'The owner');
  if (input.location !== undefined && foldRegion(input.location) !== foldRegion(record.location))
    throw notChangeable('location', 'The location');
  if (input.place !== undefined && !isSameArmPath(input.place, record.place))
    throw notChangeable('properties.resourceGroupName', 'The subscription and resource group');
}

const notChangeable = (target: string, what: string): Refusal =>
  new Refusal('PropertyNotChangeable', `${what} of an account is set when it is created and never changes.`, {
    target,
  });

/**
 * Whether the change takes the account out of the hold of its customer's vault: to the system key, or to a key in
 * another vault. The right to write accounts is not enough for that (INV-14).
 */
export function isRelease(
  { encryption }: ActiveAccount,
  input: EncryptionInput | undefined,
  { cloud }: Pick<Configuration, 'cloud'>,
): boolean {
  if (encryption.type === 'SystemKey' || input === undefined) return false;
  if (input.type === 'SystemKey') return true;
  return parseKeyIdentifier(input.keyIdentifier, cloud).vaultHost !== encryption.binding.vaultHost;
}

function refusedRelease(
  owner: string,
  encryption: EncryptionInput,
  { cloud, homeTenantId }: Configuration,
): AccountPlan {
  const [where, target] =
    encryption.type === 'SystemKey'
      ? (['the system key', 'properties.encryption.type'] as const)
      : (['a key in another vault', keyIdentifierTarget] as const);
  const refusal = new Refusal(
    'AuthorizationFailed',
    `Changing an account from its customer key to ${where} needs the app role Keys.Release.`,
    { target },
  );
  if (encryption.type === 'SystemKey') return { kind: 'refuseRelease', refusal, owner };
  const key = parseKeyIdentifier(encryption.keyIdentifier, cloud);
  return { kind: 'refuseRelease', refusal, owner, binding: bindingOf(key, homeTenantId, encryption.identity) };
}

function isSameEncryption(current: Encryption, input: EncryptionInput, { cloud, homeTenantId }: Configuration) {
  if (current.type === 'SystemKey' || input.type === 'SystemKey') return current.type === input.type;
  if (current.keyIdentifier !== input.keyIdentifier) return false;
  const identifier = parseKeyIdentifier(input.keyIdentifier, cloud);
  return bindingOf(identifier, homeTenantId, input.identity).id === current.binding.id;
}

/**
 * Owner and location of an account that does not exist yet. @throws Refusal InvalidRequestContent | InvalidParameter |
 * AuthorizationFailed
 */
export function ownedOf(input: AccountInput, { owners }: Pick<Permissions, 'owners'>): Owned {
  const owner = parseOwner(requireValue(input.owner, 'properties.owner'));
  if (owners?.has(owner) === false)
    throw new Refusal('AuthorizationFailed', `The caller may create accounts of ${[...owners].join(', ')} only.`);
  return { owner, location: requireValue(input.location?.trim().replaceAll(/\s+/g, ' '), 'location') };
}

function requireValue(value: string | undefined, target: string): string {
  if (value !== undefined && value !== '') return value;
  throw new Refusal('InvalidRequestContent', `A new account needs '${target}'.`, { target });
}
