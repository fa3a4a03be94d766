/** What the secrets capability needs from outside. */
import type { SecretPage, SecretRef, SecretRow, StoredSecret } from '../accounts/secretRow.ts';
import type { SecretKind } from '../base/vocabulary.ts';

/**
 * Secrets, in their account's partition. Every write is conditional; one that comes too late returns undefined, or
 * false.
 */
export interface SecretStore {
  read(ref: SecretRef): Promise<StoredSecret | undefined>;
  /** In the order of names; of one kind, or of all. */
  page(account: string, request: { kind?: SecretKind; limit: number; after?: string }): Promise<SecretPage>;
  replace(ref: SecretRef, row: SecretRow, etag: string): Promise<string | undefined>;
  remove(ref: SecretRef, etag: string): Promise<boolean>;
  /**
   * Removes every secret of an account while its record is as it was read. Returns the record's ETag after that. Can
   * stop anywhere and be repeated. @throws LostRace
   */
  clear(account: string, recordEtag: string): Promise<string>;
}
