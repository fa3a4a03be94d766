/** What the customerKey capability needs from outside: Key Vault, and the store of claims. */
import type { Bytes } from '../base/bytes.ts';
import type { Cause } from '../base/causes.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { Binding } from './binding.ts';

/** How a key is reached: the part of a binding that an adapter needs. */
export type KeyRef = Pick<Binding, 'vaultHost' | 'vaultName' | 'keyName' | 'tenantId' | 'identity'>;

/** A service principal of Keyward, as Microsoft Entra ID names it. GUIDs in lower case. */
export interface Principal {
  /** The object id, which grants name. */
  readonly principalId: string;
  /** The application id. */
  readonly clientId?: string;
}

/** What the transport saw while it asked, for logs and audit. */
export interface Observed {
  readonly status?: number;
  readonly innerCode?: string;
  readonly networkCode?: string;
  /** Key Vault's `x-ms-request-id`: what its support asks for, and what the customer's own log shows. */
  readonly requestId?: string;
  readonly region?: string;
  readonly retryAfterSeconds?: number;
  /** The principal that Keyward called as. Absent where nothing names it. */
  readonly principal?: Principal;
  /** Neither the token nor the answer names the principal: it is the one of the settings. */
  readonly isPrincipalAssumed?: true;
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
  describe(keyRef: KeyRef, version?: string): Promise<Answer<KeyDescription>>;
  /** A remote unwrap (RSA-OAEP-256) by exactly this version. The caller wipes the value. */
  unwrap(keyRef: KeyRef, version: string, wrapped: Bytes): Promise<Answer<Bytes>>;
  /** Local: RSA-OAEP-256 with the public key, as Key Vault's own guidance advises. Proves nothing until unwrapped remotely. */
  wrap(key: RsaPublicKey, plain: Bytes): Bytes;
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
