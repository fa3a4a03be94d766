/** Protected secrets as their account's partition holds them. */

import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { SecretKind } from '../base/vocabulary.ts';

/** Where a secret stands; account and name folded. */
export interface SecretRef {
  readonly account: string;
  readonly kind: SecretKind;
  readonly name: string;
}

/** A protected secret, and what may be told of it. */
export interface SecretRow {
  /** As written. */
  readonly name: string;
  readonly label?: string;
  /** base64 of the envelope of docs/envelope.md. */
  readonly sealed: string;
  /** New with every value; the secret's ETag. Moving it under another key is no change. */
  readonly version: string;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** The resource that the secret was written for: once nothing names it, it goes. Absent: it stands for itself. */
  readonly of?: string;
}

export type StoredSecret = Stored<SecretRow> & { readonly ref: SecretRef };

export interface SecretPage {
  readonly rows: readonly StoredSecret[];
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}
