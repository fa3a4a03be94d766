/** Finds secrets by name, and returns what may be shown without decrypting any. */
import type { AccountView } from '../accounts/account.ts';
import { refuseUnlessEnabled } from '../accounts/gate.ts';
import { getAccount } from '../accounts/readAccount.ts';
import type { SecretPage, SecretRef, StoredSecret } from '../accounts/secretRow.ts';
import { Refusal } from '../base/errors.ts';
import { fold, isGuid, parseAccountName } from '../base/names.ts';
import { whatItHolds } from '../base/strangeCharacter.ts';
import type { SecretKind } from '../base/vocabulary.ts';
import type { SecretsDeps } from './deps.ts';
import { pathOf } from './secretAudit.ts';

const maxNameLength = 128;
const secretNamePattern = /^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9_-])?$/;

/** A content key is named by a UUID, as in AMS; the owner chooses other names. @throws Refusal InvalidParameter */
export function parseSecretName(kind: SecretKind, text: string): string {
  const folded = fold(text);
  if (kind === 'contentKeys' ? isGuid(folded) : secretNamePattern.test(folded)) return folded;
  throw new Refusal(
    'InvalidParameter',
    kind === 'contentKeys'
      ? 'The id of a content key is a UUID: 8-4-4-4-12 hexadecimal digits.'
      : `A name has 1 to ${maxNameLength} letters, digits, dots, underscores and hyphens; it begins with a letter or digit and does not end with a dot.${whatItHolds(text, /[^A-Za-z0-9._-]/)}`,
    { target: kind === 'contentKeys' ? 'id' : 'name' },
  );
}

export const refOf = (account: string, kind: SecretKind, written: string): SecretRef => ({
  account: parseAccountName(account),
  kind,
  name: parseSecretName(kind, written),
});

export const secretEtagOf = ({ value }: StoredSecret): string => `"${value.version}"`;

export function secretNotFound(ref: SecretRef): Refusal {
  return new Refusal('NotFound', `The account '${ref.account}' has no ${pathOf(ref)}.`, { target: ref.name });
}

/** The account of a call on its secrets. @throws Refusal AccountNotFound | CustomerKeyInaccessible */
export async function accountToServe(account: string, deps: SecretsDeps): Promise<AccountView> {
  const view = await getAccount(account, deps);
  refuseUnlessEnabled(view);
  return view;
}

/** @throws Refusal AccountNotFound | CustomerKeyInaccessible | NotFound */
export async function getSecret(ref: SecretRef, deps: SecretsDeps): Promise<StoredSecret> {
  const [, row] = await Promise.all([accountToServe(ref.account, deps), deps.secrets.read(ref)]);
  if (row === undefined) throw secretNotFound(ref);
  return row;
}

/** By name, at most `limit` per page. */
export async function listSecrets(
  request: { readonly account: string; readonly kind: SecretKind; readonly limit: number; readonly after?: string },
  deps: SecretsDeps,
): Promise<SecretPage> {
  const [, page] = await Promise.all([
    accountToServe(request.account, deps),
    deps.secrets.page(request.account, request),
  ]);
  return page;
}
