/**
 * Reveals secrets. Record, watch and secret are read at the same time, and a record that is a few seconds old may serve
 * (accounts/accountCache.ts). What fails with a cached record is tried again with fresh reads, before the caller is
 * refused or an alarm is raised.
 */
import type { AccountView } from '../accounts/account.ts';
import type { KnownAccount } from '../accounts/processState.ts';
import type { SecretRef, StoredSecret } from '../accounts/secretRow.ts';
import { serveAccount } from '../accounts/serveAccount.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { type Bytes, wipe } from '../base/bytes.ts';
import type { SecretKind } from '../base/vocabulary.ts';
import type { SecretsDeps } from './deps.ts';
import { type Opened, openRows, wipeOnError } from './openStoredSecrets.ts';
import { secretNotFound } from './readSecret.ts';
import { alarm, auditReveal, integrityFailure } from './secretAudit.ts';

export interface Revealed {
  readonly row: StoredSecret;
  /** The caller wipes it. */
  readonly plain: Bytes;
}

export interface RevealRequest {
  readonly actor: Actor;
  /** The account, where the caller has already begun to read it. */
  readonly known?: Promise<KnownAccount>;
}

/**
 * One secret.
 * @throws Refusal AccountNotFound | NotFound | CustomerKeyInaccessible | KeyMaterialMismatch @throws Unavailable
 */
export async function revealOne(
  ref: SecretRef,
  type: 'SecretsRevealed' | 'JobInputResolved',
  { actor, known }: RevealRequest,
  deps: SecretsDeps,
): Promise<Revealed> {
  const read = async () => {
    const row = await deps.secrets.read(ref);
    if (row === undefined) throw secretNotFound(ref);
    return [row];
  };
  const { view, opened } = await readFresh(ref.account, read, known, deps);
  const [one] = opened;
  if (one?.plain === undefined) {
    await alarm(view, [ref], deps);
    throw integrityFailure(ref);
  }
  await wipeOnError(opened, () => auditReveal(view, type, [ref], actor, deps));
  return { row: one.row, plain: one.plain };
}

export interface RevealedPage {
  readonly secrets: readonly Opened[];
  readonly next?: string;
}

/**
 * One page, in the order of names. A row that cannot be decrypted fails no other row: its plain bytes are undefined.
 */
export async function revealPage(
  request: { readonly account: string; readonly kind: SecretKind; readonly limit: number; readonly after?: string },
  { actor, known }: RevealRequest,
  deps: SecretsDeps,
): Promise<RevealedPage> {
  let next: string | undefined;
  const read = async () => {
    const page = await deps.secrets.page(request.account, request);
    next = page.next;
    return page.rows;
  };
  const { view, opened } = await readFresh(request.account, read, known, deps);
  const refs = (areBroken: boolean) =>
    opened.filter(({ plain }) => (plain === undefined) === areBroken).map(({ row }) => row.ref);
  await wipeOnError(opened, async () => {
    await alarm(view, refs(true), deps);
    await auditReveal(view, 'SecretsRevealed', refs(false), actor, deps);
  });
  return next === undefined ? { secrets: opened } : { secrets: opened, next };
}

interface Attempt {
  readonly view: AccountView;
  readonly opened: readonly Opened[];
}

/** Twice at most: a cached record may be outdated, and a row may have changed its key between two reads. */
function readFresh(
  account: string,
  read: () => Promise<readonly StoredSecret[]>,
  known: Promise<KnownAccount> | undefined,
  deps: SecretsDeps,
): Promise<Attempt> {
  const attempt = async (served: Promise<AccountView>): Promise<Attempt> => {
    const reading = read();
    // Awaited below: a refusal by the account is reported first, before all results for its secrets.
    reading.catch(() => undefined);
    const view = await served;
    return { view, opened: await openRows(view, await reading, deps) };
  };
  const isWhole = ({ opened }: Attempt) => opened.every(({ plain }) => plain !== undefined);
  const discard = ({ opened }: Attempt) => wipe(...opened.map(({ plain }) => plain));
  return serveAccount(account, known, { attempt, isWhole, discard }, deps);
}
