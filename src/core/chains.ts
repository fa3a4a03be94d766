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
 * @throws Refusal AccountNotFound | NotFound
 */
export async function accountChain(name: string, instanceId: string | undefined, tools: ChainTools): Promise<Chain> {
  const folded = parseAccountName(name);
  const id = instanceId ?? (await latestInstance(folded, tools));
  const head = async () => (await findInstance(folded, id, tools))?.audit ?? emptyChain;
  const chain: Chain = { id, head, page: (asked) => tools.accounts.audit(folded, id, asked) };
  if ((await head()) !== emptyChain || (await chain.page({ limit: 1 })).rows.length > 0) return chain;
  throw new Refusal('NotFound', `No account of the name '${folded}' has, or had, this id.`, { target: 'accountId' });
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

/** @throws Refusal NotFound */
export async function bindingChain(bindingId: string, { bindings }: ChainTools): Promise<Chain> {
  const id = fold(bindingId);
  const head = async () => (await bindings.readWatch(id))?.value.audit ?? emptyChain;
  const chain: Chain = { id, head, page: (asked) => bindings.audit(id, asked) };
  if ((await head()) !== emptyChain || (await chain.page({ limit: 1 })).rows.length > 0) return chain;
  throw new Refusal('NotFound', 'There is no binding of this id.', { target: 'bindingId' });
}

export const ownChain = ({ serviceAudit }: ChainTools): Chain => ({
  id: serviceChain,
  head: async () => (await serviceAudit.head())?.value ?? emptyChain,
  page: (asked) => serviceAudit.audit(asked),
});
