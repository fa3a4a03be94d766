/** The chains that can be read and verified: of an account instance, of a key's binding, and the service's own. */
import { type ChainHead, emptyChain } from './audit.ts';
import { Refusal } from './errors.ts';
import { fold, parseAccountName } from './names.ts';
import type { ChainPage, ChainPageRequest, Tombstone } from './ports.ts';
import type { Service } from './service.ts';
import { serviceChain } from './serviceAudit.ts';
import type { EpochMs } from './time.ts';

type ChainTools = Pick<Service, 'accounts' | 'bindings' | 'serviceAudit'>;

export interface Chain {
  readonly id: string;
  /** As it is kept beside the chain at the moment of the call. */
  head(): Promise<ChainHead>;
  page(asked: ChainPageRequest): Promise<ChainPage>;
  /** What to say where neither an entry nor a head is there. The service's own chain may be empty. */
  readonly absent?: Refusal;
}

/** A head that somebody has written over is none. */
function headIn(kept: { readonly audit?: unknown } | undefined): ChainHead {
  const { sequence, hash } = (kept?.audit ?? {}) as Partial<Record<keyof ChainHead, unknown>>;
  return Number.isSafeInteger(sequence) && typeof hash === 'string'
    ? { sequence: sequence as number, hash }
    : emptyChain;
}

/** One account that has, or had, the name. */
export interface Instance {
  readonly instanceId: string;
  readonly owner: string;
  readonly audit: ChainHead;
  /** Absent: it is the present one. */
  readonly deletedAt?: EpochMs;
}

/**
 * The chain of the instance; without one, of the present account, else of the one that was deleted last. An instance that neither a
 * record nor a tombstone knows has entries all the same where somebody has removed those.
 * @throws Refusal AccountNotFound
 */
export async function accountChain(name: string, instanceId: string | undefined, tools: ChainTools): Promise<Chain> {
  const folded = parseAccountName(name);
  const id = instanceId ?? (await latestInstance(folded, tools));
  return {
    id,
    head: async () => headIn(await findInstance(folded, id, tools)),
    page: (asked) => tools.accounts.audit(folded, id, asked),
    absent: new Refusal('NotFound', `No account of the name '${folded}' has, or had, this id.`, {
      target: 'accountId',
    }),
  };
}

async function latestInstance(name: string, tools: ChainTools): Promise<string> {
  const present = (await tools.accounts.read(name))?.value.instanceId;
  if (present !== undefined) return present;
  let latest: Tombstone | undefined;
  let after: { after?: string } = {};
  for (;;) {
    const { tombstones, next } = await tools.accounts.tombstones(name, { limit: 1000, ...after });
    for (const one of tombstones) if (latest === undefined || one.deletedAt > latest.deletedAt) latest = one;
    if (next === undefined) break;
    after = { after: next };
  }
  if (latest !== undefined) return latest.instanceId;
  throw new Refusal('AccountNotFound', `There is no account '${name}', and there was none.`, { target: 'accountName' });
}

async function findInstance(name: string, id: string, { accounts }: ChainTools): Promise<Instance | undefined> {
  const stored = await accounts.read(name);
  return stored?.value.instanceId === id ? stored.value : accounts.tombstone(name, id);
}

export interface InstancePage {
  readonly instances: readonly Instance[];
  readonly next?: string;
}

/** The present account first, then those that were deleted, in the order of their ids. */
export async function instancesOf(name: string, page: ChainPageRequest, tools: ChainTools): Promise<InstancePage> {
  const folded = parseAccountName(name);
  const [stored, { tombstones, next }] = await Promise.all([
    page.after === undefined ? tools.accounts.read(folded) : undefined,
    tools.accounts.tombstones(folded, page),
  ]);
  // A delete that is being finished has left both.
  const buried = tombstones.filter(({ instanceId }) => instanceId !== stored?.value.instanceId);
  const instances = [...(stored === undefined ? [] : [stored.value]), ...buried];
  return { instances, ...(next === undefined ? {} : { next }) };
}

export function bindingChain(bindingId: string, { bindings }: ChainTools): Chain {
  const id = fold(bindingId);
  return {
    id,
    head: async () => headIn((await bindings.readWatch(id))?.value),
    page: (asked) => bindings.audit(id, asked),
    absent: new Refusal('NotFound', 'There is no binding of this id.', { target: 'bindingId' }),
  };
}

export const ownChain = ({ serviceAudit }: Pick<ChainTools, 'serviceAudit'>): Chain => ({
  id: serviceChain,
  head: async () => headIn({ audit: (await serviceAudit.head())?.value }),
  page: (asked) => serviceAudit.audit(asked),
});

/** @throws Refusal NotFound */
export async function readChain(chain: Chain, asked: ChainPageRequest): Promise<ChainPage> {
  const page = await chain.page(asked);
  const isEmpty = page.rows.length === 0 && asked.after === undefined;
  if (isEmpty && chain.absent !== undefined && (await chain.head()).sequence === 0) throw chain.absent;
  return page;
}
