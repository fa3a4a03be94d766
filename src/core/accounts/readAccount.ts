/** Reads accounts: the record and its watch, as every call sees them. */

import { type ArmPath, isSameArmPath } from '../base/armPath.ts';
import { DamagedRow, unlessDamaged } from '../base/damagedRow.ts';
import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import { fold, parseAccountName } from '../base/names.ts';
import type { Stored } from '../base/stored.ts';
import type { Binding } from '../customerKey/binding.ts';
import type { Watch } from '../watch/watch.ts';
import { type AccountView, type ActiveAccount, verdictOn } from './account.ts';
import type { AccountsDeps } from './deps.ts';
import type { ArmPathFilter } from './ports.ts';

export interface ReadDeps
  extends Partial<Pick<AccountsDeps, 'accountCache' | 'requestLook'>>,
    Pick<AccountsDeps, 'clock'> {
  readonly accounts: Pick<AccountsDeps['accounts'], 'read'>;
  readonly bindings: Pick<AccountsDeps['bindings'], 'readWatch'>;
}

/**
 * Undefined when there is no such account, or it is being deleted. The watch that the record named last time is read at
 * the same time as the record. That is a guess, and costs a read when it is wrong: only the watch that this record
 * names counts.
 * @throws DamagedRow after a look was requested when the row is the watch
 */
export async function findAccount(name: string, deps: ReadDeps): Promise<AccountView | undefined> {
  const { accounts, bindings, accountCache } = deps;
  const folded = fold(name);
  const guess = accountCache?.bindingOf(folded);
  const readWatch = async (id: string) =>
    accountCache === undefined ? (await bindings.readWatch(id))?.value : accountCache.readWatch(id, bindings);
  const early = guess === undefined ? undefined : readWatch(guess);
  // Awaited below, or not needed.
  early?.catch(() => undefined);
  const stored = await accounts.read(folded);
  const found = stored?.value.lifecycle === 'active' ? stored.value : undefined;
  const binding = found && bindingOf(found);
  accountCache?.noteBinding(folded, binding?.id);
  if (stored === undefined || found === undefined) return undefined;
  const view = { record: found, etag: stored.etag, readAt: deps.clock.now() };
  if (binding === undefined) return view;
  try {
    const guessed = binding.id === guess ? await early : undefined;
    // A watch that was read a moment before the record may not have its version yet.
    if (guessed !== undefined && verdictOn({ ...view, watch: guessed }) !== undefined)
      return { ...view, watch: guessed };
    return { ...view, ...defined({ watch: await readWatch(binding.id) }) };
  } catch (error) {
    // A look restores the watch.
    if (error instanceof DamagedRow) await deps.requestLook?.(binding);
    throw error;
  }
}

/** The account as it was just saved, so that its writer need not read it again. */
export function savedView(
  { value: record, etag }: Stored<ActiveAccount>,
  watch: Watch | undefined,
  { accountCache, clock }: Pick<AccountsDeps, 'accountCache' | 'clock'>,
): AccountView {
  accountCache.noteBinding(fold(record.name), bindingIdOf(record));
  return { record, etag, readAt: clock.now(), ...defined({ watch }) };
}

/** @throws Refusal AccountNotFound */
export async function getAccount(name: string, deps: ReadDeps): Promise<AccountView> {
  const view = await findAccount(parseAccountName(name), deps);
  if (view === undefined) throw accountNotFound(name);
  return view;
}

export interface AccountPage {
  readonly accounts: readonly AccountView[];
  /** Names of accounts whose record, or whose watch, is damaged. */
  readonly damaged: readonly string[];
  /** Pass it to the next call. Absent on the last page. */
  readonly next?: string;
}

/** By name, at most `limit` per page. A page can hold fewer: an account may be deleted during the read. */
export async function listAccounts(
  limit: number,
  after: string | undefined,
  deps: ReadDeps & Pick<AccountsDeps, 'directory'>,
): Promise<AccountPage> {
  return readListed(await deps.directory.page(limit, after), deps);
}

/**
 * Those of a subscription, or of one resource group, by group and name. A row is a hint: the record has the ARM path.
 */
export async function listAccountsOf(
  list: ArmPathFilter,
  limit: number,
  after: string | undefined,
  deps: ReadDeps & Pick<AccountsDeps, 'directory'>,
): Promise<AccountPage> {
  const { accounts, ...more } = await readListed(await deps.directory.pageOf(list, limit, after), deps);
  return { accounts: accounts.filter(({ record }) => isListed(record.place, list)), ...more };
}

const isListed = (
  place: ArmPath | undefined,
  { subscriptionId, resourceGroup = place?.resourceGroup ?? '' }: ArmPathFilter,
) => isSameArmPath(place, { subscriptionId, resourceGroup });

/** Each watch once, after the records that name it, however many accounts of the page share it. */
async function readListed(page: { names: string[]; next?: string }, deps: ReadDeps): Promise<AccountPage> {
  const { names, next } = page;
  const stored = await Promise.all(names.map((name) => unlessDamaged(deps.accounts.read(name))));
  const records = stored.flatMap((one) =>
    one === undefined || one === 'damaged' || one.value.lifecycle !== 'active'
      ? []
      : { record: one.value, etag: one.etag },
  );
  const ids = new Set(records.flatMap(({ record }) => bindingIdOf(record) ?? []));
  const readAt = deps.clock.now();
  const watches = new Map(
    await Promise.all([...ids].map(async (id) => [id, await unlessDamaged(deps.bindings.readWatch(id))] as const)),
  );
  const accounts: AccountView[] = [];
  const damaged = names.filter((_, n) => stored[n] === 'damaged');
  for (const view of records) {
    const watch = watches.get(bindingIdOf(view.record) ?? '');
    if (watch === 'damaged') damaged.push(view.record.name);
    else accounts.push({ ...view, readAt, ...defined({ watch: watch?.value }) });
  }
  return defined({ accounts, damaged: damaged.sort(), next });
}

const bindingOf = ({ encryption }: ActiveAccount): Binding | undefined =>
  encryption.type === 'CustomerKey' ? encryption.binding : undefined;

const bindingIdOf = (account: ActiveAccount): string | undefined => bindingOf(account)?.id;

export function accountNotFound(name: string): Refusal {
  return new Refusal('AccountNotFound', `There is no account '${fold(name)}'.`, { target: 'accountName' });
}
