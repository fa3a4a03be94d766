/** Keys in a vault: find, update, delete, recover, purge. newVersions.ts creates them. */
import { type Clock, DAY_MS, seconds } from './clock.ts';
import { Refused } from './errors.ts';
import {
  hasPurgeProtection,
  hasSoftDelete,
  type Key,
  type KeyType,
  type KeyVersion,
  type ReleasePolicy,
  type Vault,
} from './model.ts';
import { badParameter, beingDeleted, deletedKeyNotFound, invalidValue, purgeProtected } from './refusals.ts';

export type KeyAttributes = {
  enabled?: boolean | undefined;
  nbf?: number | null | undefined;
  exp?: number | null | undefined;
};

export type NewKey = {
  exportable?: boolean | undefined;
  releasePolicy?: ReleasePolicy | undefined;
  kty: KeyType;
  size?: number | undefined;
  curve?: string | undefined;
  keyOps?: readonly string[] | undefined;
  attributes?: KeyAttributes | undefined;
  tags?: Record<string, string> | undefined;
};

export type KeyUpdate = Pick<NewKey, 'keyOps' | 'attributes' | 'tags' | 'exportable' | 'releasePolicy'>;

export const RSA_OPS = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'];
export const EC_OPS = ['sign', 'verify'];

/** The key, unless it is missing, soft-deleted, being deleted or being recovered. A caller sees no difference. */
export function liveKey(vault: Vault, name: string, clock: Clock): Key | undefined {
  const key = vault.keys.get(name.toLowerCase());
  if (key === undefined || key.deleted || (key.hiddenUntil && !clock.passed(key.hiddenUntil))) return undefined;
  return key;
}

/** The named version, or the latest. */
export function findVersion(key: Key | undefined, version: string | undefined): KeyVersion | undefined {
  return version === undefined ? key?.versions.at(-1) : key?.versions.find((one) => one.id === version.toLowerCase());
}

/** The key under /deletedkeys, where it appears some seconds after the delete. */
export function deletedKey(vault: Vault, name: string, clock: Clock): Key | undefined {
  const key = vault.keys.get(name.toLowerCase());
  return key?.deleted && clock.passed(key.deleted.listedFrom) ? key : undefined;
}

export function updateVersion(vault: Vault, version: KeyVersion, update: KeyUpdate, clock: Clock): void {
  const { enabled, nbf, exp } = update.attributes ?? {};
  const { exportable = version.exportable ?? false, releasePolicy } = update;
  if (exportable !== (version.exportable ?? false)) {
    throw new Refused(badParameter('The exportable attribute of a key cannot change.'));
  }
  if (releasePolicy !== undefined && version.releasePolicy?.immutable === true) {
    throw new Refused(badParameter('The release policy of this key is immutable.'));
  }
  if (releasePolicy !== undefined) version.releasePolicy = releasePolicy;
  if (enabled !== undefined) version.enabled = enabled;
  if (nbf === null) delete version.nbf;
  else if (nbf !== undefined) version.nbf = nbf;
  if (exp === null) delete version.exp;
  else if (exp !== undefined) version.exp = exp;
  if (update.keyOps !== undefined) version.keyOps = checkedOps(version.kty, update.keyOps);
  if (update.tags !== undefined) version.tags = update.tags;
  version.updated = seconds(clock.now());
  vault.changes += 1;
  version.change = vault.changes;
}

export function deleteKey(vault: Vault, key: Key, clock: Clock, delayMs: number): void {
  if (!hasSoftDelete(vault.recoveryLevel)) {
    vault.keys.delete(key.name.toLowerCase());
    return;
  }
  const at = clock.now();
  key.deleted = { at, purgeAt: at + vault.recoverableDays * DAY_MS, listedFrom: clock.after(delayMs) };
}

export function recoverKey(vault: Vault, name: string, clock: Clock, delayMs: number): Key {
  const key = settledDeletedKey(vault, name, clock);
  delete key.deleted;
  key.hiddenUntil = clock.after(delayMs);
  return key;
}

export function purgeKey(vault: Vault, name: string, clock: Clock): void {
  const key = settledDeletedKey(vault, name, clock);
  if (hasPurgeProtection(vault.recoveryLevel)) throw new Refused(purgeProtected(vault));
  vault.keys.delete(key.name.toLowerCase());
}

function settledDeletedKey(vault: Vault, name: string, clock: Clock): Key {
  const key = vault.keys.get(name.toLowerCase());
  if (!key?.deleted) throw new Refused(deletedKeyNotFound(name));
  if (!clock.passed(key.deleted.listedFrom)) throw new Refused(beingDeleted(name));
  return key;
}

/** The operations, after the check that the service permits them for this type of key. */
export function checkedOps(kty: KeyType, ops: readonly string[]): readonly string[] {
  const possible = kty.startsWith('EC') ? EC_OPS : [...RSA_OPS, 'import'];
  if (ops.some((op) => op !== 'export' && !possible.includes(op))) throw new Refused(invalidValue());
  return ops;
}
