/** Reading accounts: the record beside its watch, as every call sees it. */
import type { AccountView } from '../account.ts';
import { Refusal } from '../errors.ts';
import { fold, parseAccountName } from '../names.ts';
import type { Service } from '../service.ts';

type ReadTools = Pick<Service, 'accounts' | 'bindings'>;

/** Undefined when there is no such account, or it is being deleted. */
export async function findAccount(name: string, tools: ReadTools): Promise<AccountView | undefined> {
  const stored = await tools.accounts.read(fold(name));
  if (stored === undefined || stored.value.lifecycle === 'deleting') return undefined;
  const record = stored.value;
  const { etag } = stored;
  if (record.encryption.type === 'SystemKey') return { record, etag };
  const watch = await tools.bindings.readWatch(record.encryption.binding.id);
  return watch === undefined ? { record, etag } : { record, etag, watch: watch.value };
}

/** @throws Refusal AccountNotFound */
export async function getAccount(name: string, tools: ReadTools): Promise<AccountView> {
  const view = await findAccount(parseAccountName(name), tools);
  if (view === undefined) throw accountNotFound(name);
  return view;
}

export interface AccountPage {
  readonly accounts: readonly AccountView[];
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

/** By name, at most `limit` a page. A page can hold fewer: an account may go while it is read. */
export async function listAccounts(
  limit: number,
  after: string | undefined,
  tools: ReadTools & Pick<Service, 'directory'>,
): Promise<AccountPage> {
  const { names, next } = await tools.directory.page(limit, after);
  const views = await Promise.all(names.map((name) => findAccount(name, tools)));
  const accounts = views.filter((view) => view !== undefined);
  return next === undefined ? { accounts } : { accounts, next };
}

export function accountNotFound(name: string): Refusal {
  return new Refusal('AccountNotFound', `There is no account '${fold(name)}'.`, { target: 'accountName' });
}
