/** What the secrets capability needs from outside, besides the rows that an account's deletion needs too. */
import type { SecretRef, SecretRow, StoredSecret } from '../accounts/secretRow.ts';

/** Secrets, in their account's partition. */
export interface SecretStore {
  read(ref: SecretRef): Promise<StoredSecret | undefined>;
  /** Returns the new ETag, or undefined when the row has changed, or is gone. */
  replace(ref: SecretRef, row: SecretRow, etag: string): Promise<string | undefined>;
}
