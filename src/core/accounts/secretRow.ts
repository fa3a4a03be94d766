/** Protected secrets, as stored in their account's partition. */

import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { SecretKind } from '../base/vocabulary.ts';

/** The address of a secret. Account and name are folded. */
export interface SecretRef {
  readonly account: string;
  readonly kind: SecretKind;
  readonly name: string;
}

/** A protected secret, and what may be shown of it. */
export interface SecretRow {
  /** As written. */
  readonly name: string;
  readonly label?: string;
  /** base64 of the envelope of docs/envelope.md. */
  readonly sealed: string;
  /** New with every value; the secret's ETag. To encrypt the same value under another key does not change it. */
  readonly version: string;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /**
   * The resource that the secret was written for. Once no resource names the secret, it is deleted. Absent: it is
   * independent.
   */
  readonly of?: string;
}

export type StoredSecret = Stored<SecretRow> & { readonly ref: SecretRef };

export interface SecretPage {
  readonly rows: readonly StoredSecret[];
  /** Pass it to the next call. Absent on the last page. */
  readonly next?: string;
}
