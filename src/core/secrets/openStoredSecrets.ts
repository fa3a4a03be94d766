/** From a stored row to plain bytes, with the account's leased key. */
import type { AccountView, ActiveAccount } from '../accounts/account.ts';
import { revealSecret, type SecretAddress } from '../accounts/secretLayers.ts';
import type { SecretRef, StoredSecret } from '../accounts/secretRow.ts';
import { type Bytes, base64, fromBase64, wipe } from '../base/bytes.ts';
import { fold } from '../base/names.ts';
import { KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { parseSecret, type SecretHeader } from '../crypto/secretEnvelope.ts';
import type { Ring } from '../rings/ring.ts';
import type { SecretsDeps } from './deps.ts';

type OpenDeps = Pick<SecretsDeps, 'rings' | 'leases'>;

export const secretAddressOf = (
  { instanceId }: { readonly instanceId: string },
  { account, kind, name }: SecretRef,
): SecretAddress => ({
  instanceId,
  account,
  kind,
  name,
});

/** @throws KeyMaterialMismatch when the row holds no secret, or one of another name. */
export function storedBytes({ ref, value }: StoredSecret): Bytes {
  const { sealed, name } = value as { sealed: unknown; name: unknown };
  if (typeof sealed !== 'string' || typeof name !== 'string' || fold(name) !== ref.name)
    throw new KeyMaterialMismatch('The row is not that of this secret.');
  const bytes = fromBase64(sealed);
  if (base64(bytes) !== sealed) throw new KeyMaterialMismatch('The stored secret is not base64.');
  return bytes;
}

/** What a row says of itself; undefined when Keyward did not write it. */
export function headerOf(row: StoredSecret): SecretHeader | undefined {
  try {
    return parseSecret(storedBytes(row));
  } catch (error) {
    if (error instanceof KeyMaterialMismatch) return undefined;
    throw error;
  }
}

export interface Opened {
  readonly row: StoredSecret;
  /** The caller wipes it. Undefined: the row cannot be decrypted (KeyMaterialMismatch). */
  readonly plain: Bytes | undefined;
}

/** All rows in one turn of the lease. @throws Unavailable CustomerKeyUnreachable */
export async function openRows(view: AccountView, rows: readonly StoredSecret[], deps: OpenDeps): Promise<Opened[]> {
  if (rows.length === 0) return [];
  const { atRest } = await deps.rings();
  const { record } = view;
  const opened: Opened[] = [];
  return wipeOnError(opened, () =>
    deps.leases.withAccountKey(view, (accountKey) => {
      for (const row of rows) opened.push({ row, plain: plainIn(row, record, accountKey, atRest) });
      return opened;
    }),
  );
}

function plainIn(row: StoredSecret, record: ActiveAccount, accountKey: Bytes, atRest: Ring): Bytes | undefined {
  try {
    return revealSecret(storedBytes(row), secretAddressOf(record, row.ref), accountKey, record, atRest);
  } catch (error) {
    if (error instanceof KeyMaterialMismatch) return undefined;
    throw error;
  }
}

/** Wipes the plain bytes when the work that needed them fails: no other code has a reference to them. */
export async function wipeOnError<T>(opened: readonly Opened[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    wipe(...opened.map(({ plain }) => plain));
    throw error;
  }
}
