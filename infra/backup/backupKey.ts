/**
 * The operator's key that signs backups: an RSA key of a vault of the operator, for `sign` only. The app has no role on
 * it, so a process of the app cannot sign a backup. The operator names the key: a backup does not say which key to
 * trust.
 */
import { createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import type { TokenCredential } from '@azure/core-auth';
import type { HttpClient } from '@azure/core-rest-pipeline';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
import { type Cloud, keyVaultSuffixes, parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import { CommandError } from './runCommand.ts';

/** Key Vault docs, "About keys": RSASSA-PKCS1-v1_5 with SHA-256. */
const algorithm = 'RS256';

export interface Signed {
  /** The version of the key. */
  readonly version: string;
  /** base64url */
  readonly signature: string;
}

export interface BackupKey {
  sign(content: Buffer): Promise<Signed>;
  /** @throws CommandError when no enabled version of the key has made the signature */
  verify(content: Buffer, signed: Signed): Promise<void>;
}

/** @param httpClient reaches the vault where that is not over the network @throws CommandError */
export function createBackupKey(identifier: string, credential: TokenCredential, httpClient?: HttpClient): BackupKey {
  const { vaultHost, keyName } = parsed(identifier);
  const options = httpClient === undefined ? {} : { httpClient };
  const keys = new KeyClient(`https://${vaultHost}`, credential, options);
  return {
    async sign(content) {
      const { id, properties } = await keys.getKey(keyName);
      const digest = createHash('sha256').update(content).digest();
      const { result } = await new CryptographyClient(id ?? '', credential, options).sign(algorithm, digest);
      return { version: properties.version ?? '', signature: Buffer.from(result).toString('base64url') };
    },
    async verify(content, { version, signature }) {
      if (!/^[0-9a-f]{32}$/.test(version))
        throw new CommandError('backup.sig was edited: it names no version of a key.');
      const { key, properties } = await keys.getKey(keyName, { version }).catch((error: unknown) => {
        if ((error as { statusCode?: number }).statusCode !== 404) throw error;
        throw new CommandError(`backup.sig was edited: ${identifier} has no version ${version}.`);
      });
      if (properties.enabled === false)
        throw new CommandError(`The version ${version} of ${identifier}, which signed this backup, is disabled.`);
      const base64url = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('base64url');
      const jwk: JsonWebKey = { kty: 'RSA', n: base64url(key?.n), e: base64url(key?.e) };
      const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
      if (!verify('sha256', content, publicKey, Buffer.from(signature, 'base64url')))
        throw new CommandError('backup.json was edited: its signature does not fit. Use another copy of this backup.');
    },
  };
}

function parsed(identifier: string) {
  const isOf = (cloud: Cloud) => keyVaultSuffixes[cloud].some((suffix) => identifier.toLowerCase().includes(suffix));
  const cloud = (Object.keys(keyVaultSuffixes) as Cloud[]).find(isOf) ?? 'public';
  try {
    return parseKeyIdentifier(identifier, cloud);
  } catch (error) {
    throw new CommandError(`--key: ${error instanceof Error ? error.message : String(error)}`);
  }
}
