/**
 * The chains that Keyward can read and verify: that of an account instance, that of a key's binding, and the service's
 * own.
 */

import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import { fold, parseAccountName } from '../base/names.ts';
import type { RawRow } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import { type ChainHead, emptyChain } from './auditEntry.ts';
import type { AuditDeps } from './deps.ts';
import type { ChainPage, ChainPageRequest, Tombstone } from './ports.ts';
import type { SecretVersions } from './secretsCheck.ts';
import { serviceChain } from './serviceAudit.ts';

type ChainDeps = Pick<AuditDeps, 'accounts' | 'bindings' | 'serviceAudit'>;

export interface Chain {
  readonly id: string;
  /** The head that is stored beside the chain at the time of the call; `damaged` when its row is damaged. */
  head(): Promise<ChainHead | 'damaged'>;
  page(request: ChainPageRequest): Promise<ChainPage>;
  /** Of the present account: the secrets that are stored now. */
  secrets?(): Promise<SecretVersions | undefined>;
  /** The refusal when there is neither an entry nor a head. The service's own chain may be empty. */
  readonly absent?: Refusal;
  /** The name of the account, for the chain of one. */
  readonly account?: string;
}

type Holder = { readonly audit: ChainHead };

const headIn = (row: RawRow<Holder> | undefined): ChainHead | 'damaged' =>
  row === undefined ? emptyChain : (row.value?.audit ?? 'damaged');

/** One account that has or had the name. */
export interface Instance {
  readonly instanceId: string;
  readonly owner: string;
  readonly audit: ChainHead;
  /** Absent for the present account. */
  readonly deletedAt?: EpochMs;
  readonly erasedAt?: EpochMs;
}

const instanceIn = (row: RawRow<Tombstone | Omit<Tombstone, 'deletedAt'>> | undefined): Instance | undefined => {
  if (row?.value === undefined) return undefined;
  const { instanceId, owner, audit, ...more } = row.value;
  const { deletedAt, erasure }: Partial<Tombstone> = more;
  return { instanceId, owner, audit, ...defined({ deletedAt, erasedAt: erasure?.at }) };
};

/**
 * The chain of the instance. Without an instance: of the present account, or else of the one deleted last. An instance
 * without record and tombstone still has entries when a writer has removed those two rows. @throws Refusal
 * AccountNotFound; InvalidParameter when the record is damaged and only an id can select the account
 */
export async function accountChain(name: string, instanceId: string | undefined, deps: ChainDeps): Promise<Chain> {
  const folded = parseAccountName(name);
  const id = instanceId ?? (await latestInstance(folded, deps));
  return {
    id,
    account: folded,
    head: () => headOfInstance(folded, id, deps),
    page: (request) => deps.accounts.audit(folded, id, request),
    secrets: () => secretsOfInstance(folded, id, deps),
    absent: new Refusal('NotFound', `No account of the name '${folded}' has, or had, this id.`, {
      target: 'accountId',
    }),
  };
}

async function latestInstance(name: string, deps: ChainDeps): Promise<string> {
  const row = await deps.accounts.readRaw(name);
  const present = instanceIn(row)?.instanceId;
  if (present !== undefined) return present;
  if (row !== undefined) return onlyWithoutTombstone(name, deps);
  let latest: Instance | undefined;
  let after: { after?: string } = {};
  for (;;) {
    const { tombstones, next } = await deps.accounts.tombstones(name, { limit: 1000, ...after });
    for (const one of instancesIn(tombstones))
      if (latest === undefined || (one.deletedAt ?? 0) > (latest.deletedAt ?? 0)) latest = one;
    if (next === undefined) break;
    after = { after: next };
  }
  if (latest !== undefined) return latest.instanceId;
  throw new Refusal('AccountNotFound', `There is no account '${name}', and there never was one.`, {
    target: 'accountName',
  });
}

/** The instance of a damaged record: the only chain of the name without a tombstone. */
async function onlyWithoutTombstone(name: string, { accounts }: ChainDeps): Promise<string> {
  const ids = await accounts.chains(name);
  const tombstones = await Promise.all(ids.map((id) => accounts.tombstone(name, id)));
  const [only, ...others] = ids.filter((_, n) => tombstones[n] === undefined);
  if (only !== undefined && others.length === 0) return only;
  throw new Refusal(
    'InvalidParameter',
    `The record of '${name}' is damaged: it does not say which account it is. Add ?accountId= with the id from an event or a back-up.`,
    { target: 'accountId' },
  );
}

const instancesIn = (all: readonly RawRow<Tombstone>[]): Instance[] =>
  all.flatMap((row) => {
    const instance = instanceIn(row);
    return instance === undefined ? [] : [instance];
  });

async function secretsOfInstance(name: string, id: string, { accounts }: ChainDeps) {
  if (instanceIn(await accounts.readRaw(name))?.instanceId !== id) return undefined;
  const stored = new Map<string, string | undefined>();
  for (let page: ChainPageRequest | undefined = { limit: 1000 }; page !== undefined; ) {
    const { versions, next }: Awaited<ReturnType<typeof accounts.secretVersions>> = await accounts.secretVersions(
      name,
      page,
    );
    for (const [secret, version] of versions) stored.set(secret, version);
    page = next === undefined ? undefined : { limit: 1000, after: next };
  }
  return stored;
}

async function headOfInstance(name: string, id: string, { accounts }: ChainDeps): Promise<ChainHead | 'damaged'> {
  const record = await accounts.readRaw(name);
  const present = instanceIn(record);
  if (present?.instanceId === id) return present.audit;
  const tombstone = await accounts.tombstone(name, id);
  if (tombstone !== undefined) return headIn(tombstone);
  return record !== undefined && present === undefined ? 'damaged' : emptyChain;
}

export interface InstancePage {
  readonly instances: readonly Instance[];
  readonly next?: string;
}

/** The present account first, then the deleted ones in the order of their ids. */
export async function instancesOf(name: string, page: ChainPageRequest, deps: ChainDeps): Promise<InstancePage> {
  const folded = parseAccountName(name);
  const [record, { tombstones, next }] = await Promise.all([
    page.after === undefined ? deps.accounts.readRaw(folded) : undefined,
    deps.accounts.tombstones(folded, page),
  ]);
  const present = instanceIn(record);
  // An unfinished delete leaves both a record and a tombstone.
  const deleted = instancesIn(tombstones).filter(({ instanceId }) => instanceId !== present?.instanceId);
  const instances = [...(present === undefined ? [] : [present]), ...deleted];
  return { instances, ...defined({ next }) };
}

export function bindingChain(bindingId: string, { bindings }: ChainDeps): Chain {
  const id = fold(bindingId);
  return {
    id,
    head: async () => headIn(await bindings.readRaw(id)),
    page: (request) => bindings.audit(id, request),
    absent: new Refusal('NotFound', 'There is no binding of this id.', { target: 'bindingId' }),
  };
}

export const ownChain = ({ serviceAudit }: Pick<ChainDeps, 'serviceAudit'>): Chain => ({
  id: serviceChain,
  head: async () => {
    const row = await serviceAudit.head();
    if (row?.value === undefined) return row === undefined ? emptyChain : 'damaged';
    const { sequence, hash } = row.value;
    return { sequence, hash };
  },
  page: (request) => serviceAudit.audit(request),
});

/** @throws Refusal NotFound */
export async function readChain(chain: Chain, request: ChainPageRequest): Promise<ChainPage> {
  const page = await chain.page(request);
  const isEmpty = page.rows.length === 0 && request.after === undefined;
  if (isEmpty && chain.absent !== undefined && isEmptyHead(await chain.head())) throw chain.absent;
  return page;
}

const isEmptyHead = (head: ChainHead | 'damaged'): boolean => head !== 'damaged' && head.sequence === 0;
