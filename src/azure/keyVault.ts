/** The Key Vault port over @azure/keyvault-keys. */
import { CryptographyClient, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys';
import { LRUCache } from 'lru-cache';
import { type Bytes, bytesOf, wipe } from '../core/base/bytes.ts';
import { whoIs } from '../core/customerKey/binding.ts';
import { versionedIdentifier } from '../core/customerKey/keyIdentifier.ts';
import type { Answer, KeyDescription, KeyVault, Observed, Reach } from '../core/customerKey/ports.ts';
import { causeOf } from './causeTable.ts';
import type { Credentials } from './credentials.ts';
import { inTime } from './inTime.ts';
import { type KeyVaultTransport, recorded, type WireRecord } from './keyVaultTransport.ts';

export interface KeyVaultOptions {
  readonly httpClient: KeyVaultTransport;
  readonly credentials: Credentials;
  readonly deadlineSeconds: number;
}

/** Retries are the caller's affair: a look that fails is followed by the next look, and each is counted. */
const noRetries = { retryOptions: { maxRetries: 0 } };

export function createKeyVault(options: KeyVaultOptions): Pick<KeyVault, 'describe' | 'unwrap'> {
  const clients = new LRUCache<string, KeyClient>({ max: 500 });
  const cryptography = new LRUCache<string, CryptographyClient>({ max: 2000 });

  function clientOf(reach: Reach): KeyClient {
    const id = `${reach.vaultHost} ${identityOf(reach)}`;
    const client =
      clients.get(id) ??
      new KeyClient(`https://${reach.vaultHost}`, options.credentials.of(reach), {
        httpClient: options.httpClient,
        ...noRetries,
      });
    clients.set(id, client);
    return client;
  }

  function cryptographyOf(reach: Reach, version: string): CryptographyClient {
    const id = `${versionedIdentifier(reach, version)} ${identityOf(reach)}`;
    const client =
      cryptography.get(id) ??
      new CryptographyClient(bareKey(reach, version), options.credentials.of(reach), {
        httpClient: options.httpClient,
        ...noRetries,
      });
    cryptography.set(id, client);
    return client;
  }

  async function asked<T, R>(
    reach: Reach,
    call: (signal: AbortSignal) => Promise<T>,
    read: (result: T, wire: WireRecord) => R | undefined,
  ): Promise<Answer<R>> {
    const began = performance.now();
    const { wire, result } = await recorded(() => inTime(call, options.deadlineSeconds * 1000));
    if (wire.credentialError !== undefined) options.httpClient.forgetChallenge(reach.vaultHost);
    const observed = observedOf(wire, performance.now() - began);
    const value = result === undefined ? undefined : read(result, wire);
    return value === undefined ? { ok: false, cause: causeOf(wire), observed } : { ok: true, value, observed };
  }

  return {
    describe: (reach, version) =>
      asked(
        reach,
        (abortSignal) =>
          clientOf(reach).getKey(reach.keyName, { abortSignal, ...(version === undefined ? {} : { version }) }),
        describe,
      ),
    unwrap: (reach, version, wrapped) =>
      asked(
        reach,
        (abortSignal) => cryptographyOf(reach, version).unwrapKey('RSA-OAEP-256', wrapped, { abortSignal }),
        ({ result }, wire) => taken(result, wire, version),
      ),
  };
}

/** Only the version that was asked for proves anything about it. The SDK's own buffer is wiped. */
function taken(result: Uint8Array | undefined, wire: WireRecord, version: string): Bytes | undefined {
  const isAsked = wire.kid?.toLowerCase().endsWith(`/${version}`) === true;
  const value = result !== undefined && isAsked ? bytesOf(result) : undefined;
  wipe(result);
  return value;
}

const identityOf = (reach: Reach): string => [reach.tenantId, ...whoIs(reach.identity)].join(' ');

/**
 * A key without material, operations or dates: the client then sends every operation to the vault, and does not refuse by its
 * own clock what the vault permits (an expired key still unwraps: Key Vault docs, "Key attributes").
 */
function bareKey(reach: Reach, version: string): KeyVaultKey {
  const id = versionedIdentifier(reach, version);
  const name = reach.keyName;
  return { id, name, keyType: 'RSA', properties: { id, name, vaultUrl: `https://${reach.vaultHost}`, version } };
}

function describe(key: KeyVaultKey, wire: WireRecord): KeyDescription | undefined {
  const { version, enabled, notBefore, expiresOn, recoveryLevel, tags } = key.properties;
  if (version === undefined) return undefined;
  const n = bytesOf(key.key?.n ?? new Uint8Array(0));
  return {
    version,
    keyType: key.keyType ?? 'unknown',
    bits: bitsOf(n),
    enabled: enabled !== false,
    operations: key.keyOperations ?? [],
    recoveryLevel: recoveryLevel ?? 'Purgeable',
    publicKey: { n, e: bytesOf(key.key?.e ?? new Uint8Array(0)) },
    ...(notBefore === undefined ? {} : { notBefore: notBefore.getTime() }),
    ...(expiresOn === undefined ? {} : { expiresOn: expiresOn.getTime() }),
    ...(wire.region === undefined ? {} : { region: wire.region }),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** The modulus without leading zero bytes, in bits. */
function bitsOf(n: Bytes): number {
  const first = n.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (n.byteLength - first) * 8 - Math.clz32(n[first] ?? 0) + 24;
}

function observedOf(wire: WireRecord, durationMs: number): Observed {
  const { status, innerCode, networkCode, requestId, region, retryAfterSeconds } = wire;
  const seen = { status, innerCode, networkCode, requestId, region, retryAfterSeconds };
  const known = Object.fromEntries(Object.entries(seen).filter(([, value]) => value !== undefined));
  return { ...known, durationMs: Math.round(durationMs) };
}
