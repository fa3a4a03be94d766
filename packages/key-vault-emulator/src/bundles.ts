/** The JSON shapes of keys on the wire, as in the recorded traffic of the SDKs' live tests. */
import { seconds } from './clock.ts';
import { publicJwk } from './crypto.ts';
import { hasSoftDelete, type Key, type KeyVersion, type ReleasePolicy, type Vault } from './model.ts';

export function keyUrl(vault: Vault, key: Key): string {
  return `https://${vault.host}/keys/${key.name}`;
}

export function keyId(vault: Vault, key: Key, version: KeyVersion): string {
  return `${keyUrl(vault, key)}/${version.id}`;
}

export function keyBundle(vault: Vault, key: Key, version: KeyVersion) {
  return {
    key: {
      kid: keyId(vault, key, version),
      kty: version.kty,
      key_ops: version.keyOps,
      ...publicJwk(version.privateKey),
    },
    attributes: attributes(vault, version),
    ...(version.tags === undefined ? {} : { tags: version.tags }),
    ...(version.releasePolicy === undefined ? {} : { release_policy: releasePolicyBody(version.releasePolicy) }),
  };
}

/** With the defaults that azure-rest-api-specs names for KeyReleasePolicy. */
const releasePolicyBody = ({ contentType, data, immutable }: ReleasePolicy) => ({
  contentType: contentType ?? 'application/json; charset=utf-8',
  data,
  immutable: immutable ?? false,
});

export function deletedKeyBundle(vault: Vault, key: Key, version: KeyVersion) {
  return { ...deletion(vault, key), ...keyBundle(vault, key, version) };
}

/** An item of a list: of versions (with version in the kid) or of keys (without). */
export function listItem(vault: Vault, key: Key, version: KeyVersion, withVersion: boolean) {
  return {
    kid: withVersion ? keyId(vault, key, version) : keyUrl(vault, key),
    attributes: attributes(vault, version),
    ...(version.tags === undefined ? {} : { tags: version.tags }),
  };
}

export function deletedListItem(vault: Vault, key: Key, version: KeyVersion) {
  return { ...deletion(vault, key), ...listItem(vault, key, version, false) };
}

function deletion(vault: Vault, key: Key) {
  if (!key.deleted) return {};
  return {
    recoveryId: `https://${vault.host}/deletedkeys/${key.name}`,
    deletedDate: seconds(key.deleted.at),
    scheduledPurgeDate: seconds(key.deleted.purgeAt),
  };
}

/** nbf and exp are there only when set. */
function attributes(vault: Vault, version: KeyVersion) {
  return {
    enabled: version.enabled,
    ...(version.nbf === undefined ? {} : { nbf: version.nbf }),
    ...(version.exp === undefined ? {} : { exp: version.exp }),
    created: version.created,
    updated: version.updated,
    recoveryLevel: vault.recoveryLevel,
    ...(hasSoftDelete(vault.recoveryLevel) ? { recoverableDays: vault.recoverableDays } : {}),
    exportable: version.exportable ?? false,
    hsmPlatform: version.kty.endsWith('-HSM') ? '2' : '0',
  };
}
