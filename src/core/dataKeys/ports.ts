/** What the data keys capability needs from outside. */
import type { DataKeyRows } from '../accounts/ports.ts';
import type { EpochMs } from '../base/time.ts';

/** When wrapped data keys of a generation were last unwrapped: one row each, in the account's partition. */
export interface DataKeyUseStore extends DataKeyRows {
  markSeen(account: string, instanceId: string, generation: number, at: EpochMs): Promise<void>;
  /** By generation. */
  lastSeen(account: string, instanceId: string): Promise<ReadonlyMap<number, EpochMs>>;
}

/** A key pair that signs key statuses. */
export interface StatusKeyRow {
  /** One for each at-rest generation and each period, so that any number of processes makes one pair. */
  readonly slot: string;
  readonly createdAt: EpochMs;
  /** base64 of the envelope of docs/envelope.md: under the at-rest ring. */
  readonly sealed: string;
}

export interface StatusKeyStore {
  list(): Promise<readonly StatusKeyRow[]>;
  /** Only when the slot is free. */
  insert(row: StatusKeyRow): Promise<void>;
  remove(slot: string): Promise<void>;
  /** Retains a public key for ever. */
  retain(key: PublicKeyRow): Promise<void>;
  /** In any order. */
  retained(): Promise<readonly PublicKeyRow[]>;
}

/** The public part of a pair. */
export interface PublicKeyRow {
  /** The JWK thumbprint (RFC 7638). */
  readonly kid: string;
  /** base64url. */
  readonly x: string;
  readonly createdAt: EpochMs;
}
