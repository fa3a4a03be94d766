/** The Key Vault port over @azure/keyvault-keys. */

import { type Bytes, bytesOf, wipe } from '../core/base/bytes.ts';
import { defined } from '../core/base/defined.ts';
import { lruCache } from '../core/base/lruCache.ts';
import type { EpochMs } from '../core/base/time.ts';
import { identityParts } from '../core/customerKey/binding.ts';
import { versionedIdentifier } from '../core/customerKey/keyIdentifier.ts';
import type { Answer, KeyDescription, KeyRef, KeyVault, Observed, Principal } from '../core/customerKey/ports.ts';
import type { CanaryKeys } from '../core/drill.ts';
import { causeOf } from './causeTable.ts';
import type { Credentials } from './credentials.ts';
import { inTime } from './inTime.ts';
import { isResultOf, type KeyBundle, keyBundleIn, versionIn } from './keyVaultAnswers.ts';
import type { KeyVaultTransport } from './keyVaultTransport.ts';
import { CryptographyClient, KeyClient, type KeyVaultKey } from './sdk/keyVault.ts';
import type { VaultNames } from './vaultNames.ts';
import { recorded, type WireRecord } from './wireRecord.ts';

export interface KeyVaultOptions {
  readonly httpClient: KeyVaultTransport;
  readonly credentials: Credentials;
  readonly names: VaultNames;
  readonly deadlineSeconds: number;
  /** The principal of an identity, as the settings name it. */
  readonly principalOf?: (identity: KeyRef['identity']) => Principal | undefined;
}

/** The caller retries: the next look follows a failed one, and each look counts. */
const noRetries = { retryOptions: { maxRetries: 0 } };

export function createKeyVault(options: KeyVaultOptions): Pick<KeyVault, 'describe' | 'unwrap'> & CanaryKeys {
  const clients = lruCache<KeyClient>(500);
  const cryptography = lruCache<CryptographyClient>(2000);

  function clientOf(keyRef: KeyRef): KeyClient {
    const id = `${keyRef.vaultHost} ${identityOf(keyRef)}`;
    const client =
      clients.get(id) ??
      new KeyClient(`https://${keyRef.vaultHost}`, options.credentials.of(keyRef), {
        httpClient: options.httpClient,
        ...noRetries,
      });
    clients.set(id, client);
    return client;
  }

  function cryptographyOf(keyRef: KeyRef, version: string): CryptographyClient {
    const id = `${versionedIdentifier(keyRef, version)} ${identityOf(keyRef)}`;
    const client =
      cryptography.get(id) ??
      new CryptographyClient(bareKey(keyRef, version), options.credentials.of(keyRef), {
        httpClient: options.httpClient,
        ...noRetries,
      });
    cryptography.set(id, client);
    return client;
  }

  async function call<T, R>(
    keyRef: KeyRef,
    send: (signal: AbortSignal) => Promise<T>,
    read: (result: T, body: unknown, wire: WireRecord) => R | undefined,
  ): Promise<Answer<R>> {
    const began = performance.now();
    const { wire, body, result } = await recorded(() => inTime(send, options.deadlineSeconds * 1000));
    if (wire.credentialError !== undefined) options.httpClient.forgetChallenge(keyRef.vaultHost);
    if (wire.networkCode === 'ENOTFOUND' && (await options.names.isGone(keyRef.vaultHost))) wire.isNameGone = true;
    const observed = observedOf(wire, performance.now() - began, options.principalOf?.(keyRef.identity));
    const value = result === undefined ? undefined : read(result, body, wire);
    return value === undefined ? { ok: false, cause: causeOf(wire), observed } : { ok: true, value, observed };
  }

  return {
    describe: (keyRef, version) =>
      call(
        keyRef,
        (abortSignal) => clientOf(keyRef).getKey(keyRef.keyName, { abortSignal, ...defined({ version }) }),
        (_key, body, wire) => {
          const bundle = keyBundleIn(body, keyRef.keyName);
          return bundle === undefined ? undefined : descriptionOf(bundle, wire);
        },
      ),
    setEnabled: (keyRef, version, enabled) =>
      call(
        keyRef,
        (abortSignal) => clientOf(keyRef).updateKeyProperties(keyRef.keyName, version, { enabled, abortSignal }),
        (_key, body) => (keyBundleIn(body, keyRef.keyName) === undefined ? undefined : (true as const)),
      ),
    unwrap: (keyRef, version, wrapped) =>
      call(
        keyRef,
        (abortSignal) => cryptographyOf(keyRef, version).unwrapKey('RSA-OAEP-256', wrapped, { abortSignal }),
        ({ result }, body) => bytesIf(isResultOf(body, keyRef.keyName, version), result),
      ),
  };
}

/** Wipes the SDK's own buffer. An answer can hold no bytes: the SDK then has another value than its type says. */
function bytesIf(isResult: boolean, result: unknown): Bytes | undefined {
  if (!(result instanceof Uint8Array)) return undefined;
  const value = isResult && result.byteLength > 0 ? bytesOf(result) : undefined;
  wipe(result);
  return value;
}

const identityOf = (keyRef: KeyRef): string => [keyRef.tenantId, ...identityParts(keyRef.identity)].join(' ');

/**
 * A key without material, operations or dates. With it the client sends every operation to the vault, and does not
 * refuse by its own clock what the vault permits (an expired key still unwraps: Key Vault docs, "Key attributes").
 */
function bareKey(keyRef: KeyRef, version: string): KeyVaultKey {
  const id = versionedIdentifier(keyRef, version);
  const name = keyRef.keyName;
  return { id, name, keyType: 'RSA', properties: { id, name, vaultUrl: `https://${keyRef.vaultHost}`, version } };
}

function descriptionOf({ key, attributes, tags }: KeyBundle, wire: WireRecord): KeyDescription {
  const { enabled, nbf, exp, recoveryLevel } = attributes;
  const n = bytesIn(key.n);
  return {
    version: versionIn(key.kid),
    keyType: key.kty,
    bits: bitsOf(n),
    enabled: enabled !== false,
    operations: key.key_ops ?? [],
    recoveryLevel: recoveryLevel ?? 'Purgeable',
    publicKey: { n, e: bytesIn(key.e) },
    ...defined({ notBefore: ms(nbf), expiresOn: ms(exp), region: wire.region, tags: tags ?? undefined }),
  };
}

const ms = (seconds: number | null | undefined): EpochMs | undefined => (seconds == null ? undefined : seconds * 1000);

const bytesIn = (base64url: string | null | undefined): Bytes => bytesOf(Buffer.from(base64url ?? '', 'base64url'));

/** The modulus without leading zero bytes, in bits. */
function bitsOf(n: Bytes): number {
  const first = n.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (n.byteLength - first) * 8 - Math.clz32(n[first] ?? 0) + 24;
}

function observedOf(wire: WireRecord, durationMs: number, assumed: Principal | undefined): Observed {
  const { status, innerCode, networkCode, requestId, region, retryAfterSeconds, clientAddress } = wire;
  const isPrincipalAssumed = wire.principal === undefined && assumed !== undefined ? true : undefined;
  const principal = wire.principal ?? assumed;
  const callers = { principal, isPrincipalAssumed, clientAddress };
  const seen = { status, innerCode, networkCode, requestId, region, retryAfterSeconds, ...callers };
  const known = Object.fromEntries(Object.entries(seen).filter(([, value]) => value !== undefined));
  return { ...known, durationMs: Math.round(durationMs) };
}
