/** The state of the emulator. Only the files named after a thing change that thing. */
import type { KeyObject } from 'node:crypto';
import type { Answers } from './answers.ts';
import type { Moment } from './clock.ts';
import type { Cloud, VaultKind } from './hosts.ts';
import type { RotationPolicy } from './rotationPolicy.ts';
import type { EventSubscription } from './subscriptions.ts';
import type { ThrottleSettings, ThrottleState } from './throttle.ts';

export const recoveryLevels = [
  'Purgeable',
  'Recoverable+Purgeable',
  'Recoverable',
  'Recoverable+ProtectedSubscription',
  'CustomizedRecoverable+Purgeable',
  'CustomizedRecoverable',
  'CustomizedRecoverable+ProtectedSubscription',
] as const;
export type RecoveryLevel = (typeof recoveryLevels)[number];

export const firewallModes = [
  'ok',
  'ForbiddenByFirewall',
  'NetworkSecurityPerimeter',
  'ForbiddenByConnection',
] as const;
export type FirewallMode = (typeof firewallModes)[number];

export const authModels = ['rbac', 'policy'] as const;
export type AuthModel = (typeof authModels)[number];

export const permissions = [
  'get',
  'list',
  'create',
  'import',
  'update',
  'delete',
  'recover',
  'purge',
  'rotate',
  'wrapKey',
  'unwrapKey',
  'encrypt',
  'decrypt',
  'sign',
  'getDeleted',
  'getRotationPolicy',
  'setRotationPolicy',
] as const;
export type Permission = (typeof permissions)[number];

/** An Azure RBAC role assignment, at vault scope or at the scope of one key. */
export type RoleAssignment = {
  id: string;
  principal: string;
  permissions: readonly Permission[];
  key?: string;
  /** Azure RBAC docs: a new or removed assignment takes up to 10 minutes to take effect. */
  from: Moment;
  until?: Moment;
};

export const keyTypes = ['RSA', 'RSA-HSM', 'EC', 'EC-HSM'] as const;
export type KeyType = (typeof keyTypes)[number];

/**
 * The policy by which the private key can be exported. `data` is base64url; the emulator stores the policy and never
 * evaluates it.
 */
export type ReleasePolicy = { contentType?: string; data: string; immutable?: boolean };

export type KeyVersion = {
  id: string;
  kty: KeyType;
  /** RSA: bits of the modulus. */
  size?: number;
  /** EC: P-256, P-256K, P-384, P-521. */
  curve?: string;
  privateKey: KeyObject;
  keyOps: readonly string[];
  enabled: boolean;
  /** Seconds since 1970, as are exp, created and updated. */
  nbf?: number;
  exp?: number;
  created: number;
  updated: number;
  tags?: Record<string, string>;
  exportable?: boolean;
  releasePolicy?: ReleasePolicy;
  /** Position in the vault's order of changes: expiry events cover versions that changed after the subscription. */
  change: number;
  /** The exp for which the event was already emitted. */
  nearExpiryEmittedFor?: number;
  expiredEmittedFor?: number;
};

export type Key = {
  name: string;
  /** Oldest first; a request without a version uses the last. */
  versions: KeyVersion[];
  rotationPolicy?: RotationPolicy;
  /** Soft-deleted: the purge is at `purgeAt` (ms), and /deletedkeys shows the key from `listedFrom`. */
  deleted?: { at: number; purgeAt: number; listedFrom: Moment };
  /** Being recovered: 404 until then. */
  hiddenUntil?: Moment;
};

export type Vault = {
  name: string;
  host: string;
  kind: VaultKind;
  cloud: Cloud;
  tenantId: string;
  location: string;
  subscriptionId: string;
  resourceGroup: string;
  recoveryLevel: RecoveryLevel;
  recoverableDays: number;
  authModel: AuthModel;
  firewall: FirewallMode;
  answers: Answers;
  throttle: ThrottleSettings;
  throttleState: ThrottleState;
  roleAssignments: RoleAssignment[];
  /** Access policies by principal (lower case). Stored without effect while the vault uses RBAC. */
  accessPolicies: Map<string, readonly Permission[]>;
  /** By name in lower case: Key Vault names ignore case. */
  keys: Map<string, Key>;
  subscriptions: EventSubscription[];
  /** Counts changes of keys. */
  changes: number;
  deleted?: { at: number; purgeAt: number };
};

export type Timings = {
  /** After DELETE, how long /deletedkeys answers 404. The real service: about 8 s. */
  deleteDelayMs: number;
  /** After recover, how long the key answers 404. The real service: about 10 s. */
  recoverDelayMs: number;
  /** How long a role assignment or its removal takes to take effect. The real service: up to 10 minutes. */
  grantDelayMs: number;
  /** Waits between attempts to deliver an event; the last one repeats. */
  eventRetryMs: readonly number[];
  eventTimeoutMs: number;
};

export function hasSoftDelete(level: RecoveryLevel): boolean {
  return level !== 'Purgeable';
}

/** Key Vault docs, general/soft-delete-overview: purge protection is on unless the level says Purgeable. */
export function hasPurgeProtection(level: RecoveryLevel): boolean {
  return !level.includes('Purgeable');
}

/** The resource id. Clients must ignore its case, because the platform's own events vary it. */
export function armId(vault: Pick<Vault, 'subscriptionId' | 'resourceGroup' | 'kind' | 'name'>): string {
  const type = vault.kind === 'vault' ? 'vaults' : 'managedHSMs';
  return `/subscriptions/${vault.subscriptionId}/resourceGroups/${vault.resourceGroup}/providers/Microsoft.KeyVault/${type}/${vault.name}`;
}

/** A private DNS zone that a network is linked to. */
export interface PrivateZone {
  /** Vault names in lower case. */
  readonly records: ReadonlySet<string>;
  /** The resolution policy of the network's link: NxDomainRedirect. */
  readonly fallbackToInternet: boolean;
}

/** The network of a client. */
export interface Network {
  /** Vault names in lower case. */
  readonly privateEndpoints: Set<string>;
  /** Zones that the client's network is linked to, by name. */
  readonly privateZones: Map<string, PrivateZone>;
}
