/** What the customerKey capability needs from outside: Key Vault, and the store of claims. */
import type { Bytes } from '../base/bytes.ts';
import type { Cause } from '../base/causes.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { Binding } from './binding.ts';

/** The address and identity of a key: the part of a binding that an adapter needs. */
export type KeyRef = Pick<Binding, 'vaultHost' | 'vaultName' | 'keyName' | 'tenantId' | 'identity'>;

/** A service principal of Keyward, as Microsoft Entra ID names it. GUIDs in lower case. */
export interface Principal {
  /** The object id, which grants name. */
  readonly principalId: string;
  /** The application id. */
  readonly clientId?: string;
}

/** What the transport recorded during a call, for logs and audit. */
export interface Observed {
  readonly status?: number;
  readonly innerCode?: string;
  readonly networkCode?: string;
  /** Key Vault's `x-ms-request-id`: its support needs it, and the customer's own log shows it. */
  readonly requestId?: string;
  readonly region?: string;
  readonly retryAfterSeconds?: number;
  /** The principal of Keyward's call. Absent when nothing names it. */
  readonly principal?: Principal;
  /** Neither the token nor the answer names the principal: it is the one of the settings. */
  readonly isPrincipalAssumed?: true;
  /** The address from which Keyward called, as a refusal of the vault's firewall names it. */
  readonly clientAddress?: string;
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
  /** Tags that the customer wrote. */
  readonly tags?: Readonly<Record<string, string>>;
}

export interface RsaPublicKey {
  readonly n: Bytes;
  readonly e: Bytes;
}

/** Key Vault. Causes are values: no function throws for an answer of a vault, or for a missing one. */
export interface KeyVault {
  /** The named version, or the latest. */
  describe(keyRef: KeyRef, version?: string): Promise<Answer<KeyDescription>>;
  /** A remote unwrap (RSA-OAEP-256) by exactly this version. The caller wipes the value. */
  unwrap(keyRef: KeyRef, version: string, wrapped: Bytes): Promise<Answer<Bytes>>;
  /** Local: RSA-OAEP-256 with the public key, as Key Vault recommends. Proves nothing until a remote unwrap. */
  wrap(key: RsaPublicKey, plain: Bytes): Bytes;
}

export type ClaimKind = 'vault' | 'tenant' | 'userAssignedIdentity';

export interface Claim {
  readonly kind: ClaimKind;
  /** Folded. */
  readonly value: string;
  readonly owner: string;
  readonly at: EpochMs;
  /** A release is in progress. It still counts, and the next claim removes the mark. */
  readonly isReleasing?: true;
}

/** The owners of vaults, tenants and identities (insert if absent). */
export interface Claims {
  find(kind: ClaimKind, value: string): Promise<Stored<Claim> | undefined>;
  /**
   * The owner that holds the claim afterwards: the caller, or an earlier one. @throws LostRace while it is being
   * released.
   */
  claim(kind: ClaimKind, value: string, owner: string, at: EpochMs): Promise<string>;
  /** Only if unchanged; undefined: it has changed, or is gone. */
  mark(claim: Stored<Claim>, isReleasing: boolean): Promise<Stored<Claim> | undefined>;
  /** Only if unchanged; false: it has changed, or is gone. */
  release(claim: Stored<Claim>): Promise<boolean>;
}
