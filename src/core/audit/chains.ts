/** The chains that can be read and verified: of an account instance, of a key's binding, and the service's own. */

import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import { fold, isGuid, parseAccountName } from '../base/names.ts';
import type { RawRow } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import { type ChainHead, emptyChain } from './auditEntry.ts';
import type { AuditDeps } from './deps.ts';
import type { ChainPage, ChainPageRequest } from './ports.ts';
import { serviceChain } from './serviceAudit.ts';

type ChainTools = Pick<AuditDeps, 'accounts' | 'bindings' | 'serviceAudit'>;

export interface Chain {
  readonly id: string;
  /** As it is stored beside the chain at the moment of the call. */
  head(): Promise<ChainHead>;
  page(asked: ChainPageRequest): Promise<ChainPage>;
  /** What to say where neither an entry nor a head is there. The service's own chain may be empty. */
  readonly absent?: Refusal;
}

type Unsure<T> = { readonly [Name in keyof T]?: unknown };

/** What stands in a table, where somebody may have put anything: no property of it is sure. */
const fieldsOf = <T>(value: unknown): Unsure<T> => value ?? {};

/** A head that somebody has written over is none. */
function headOf(value: unknown): ChainHead {
  const { sequence, hash } = fieldsOf<ChainHead>(value);
  const isHead = Number.isSafeInteger(sequence) && (sequence as number) >= 0 && typeof hash === 'string';
  return isHead ? { sequence: sequence as number, hash } : emptyChain;
}

const headIn = (raw: RawRow | undefined): ChainHead => headOf(fieldsOf<Instance>(raw?.value).audit);

/** One account that has, or had, the name. */
export interface Instance {
  readonly instanceId: string;
  readonly owner: string;
  readonly audit: ChainHead;
  /** Absent: it is the present one. */
  readonly deletedAt?: EpochMs;
}

/** Undefined: a record or tombstone that somebody has written over is none. */
function instanceIn(raw: RawRow | undefined): Instance | undefined {
  const { instanceId, owner, audit, deletedAt } = fieldsOf<Instance>(raw?.value);
  if (typeof instanceId !== 'string' || !isGuid(instanceId) || typeof owner !== 'string') return undefined;
  return { instanceId, owner, audit: headOf(audit), ...(isTime(deletedAt) ? { deletedAt } : {}) };
}

/** Beyond this there are no dates. */
const lastMs = 8.64e15;
const isTime = (value: unknown): value is EpochMs => typeof value === 'number' && Math.abs(value) <= lastMs;

/**
 * The chain of the instance; without one, of the present account, else of the one that was deleted last. An instance that neither a
 * record nor a tombstone knows has entries all the same where somebody has removed those.
 * @throws Refusal AccountNotFound; InvalidParameter where somebody has written over the record, and only its id would say which it was
 */
export async function accountChain(name: string, instanceId: string | undefined, tools: ChainTools): Promise<Chain> {
  const folded = parseAccountName(name);
  const id = instanceId ?? (await latestInstance(folded, tools));
  return {
    id,
    head: async () => (await findInstance(folded, id, tools))?.audit ?? emptyChain,
    page: (asked) => tools.accounts.audit(folded, id, asked),
    absent: new Refusal('NotFound', `No account of the name '${folded}' has, or had, this id.`, {
      target: 'accountId',
    }),
  };
}

async function latestInstance(name: string, tools: ChainTools): Promise<string> {
  const raw = await tools.accounts.readRaw(name);
  const present = instanceIn(raw)?.instanceId;
  if (present !== undefined) return present;
  if (raw !== undefined)
    throw new Refusal(
      'InvalidParameter',
      `Somebody has written over the record of '${name}': it does not say which account it is. Name it by ?accountId=, as it was announced or stands in a back-up.`,
      { target: 'accountId' },
    );
  let latest: Instance | undefined;
  let after: { after?: string } = {};
  for (;;) {
    const { tombstones, next } = await tools.accounts.tombstones(name, { limit: 1000, ...after });
    for (const one of instancesIn(tombstones))
      if (latest === undefined || (one.deletedAt ?? 0) > (latest.deletedAt ?? 0)) latest = one;
    if (next === undefined) break;
    after = { after: next };
  }
  if (latest !== undefined) return latest.instanceId;
  throw new Refusal('AccountNotFound', `There is no account '${name}', and there was none.`, { target: 'accountName' });
}

const instancesIn = (all: readonly RawRow[]): Instance[] =>
  all.flatMap((raw) => {
    const instance = instanceIn(raw);
    return instance === undefined ? [] : [instance];
  });

async function findInstance(name: string, id: string, { accounts }: ChainTools): Promise<Instance | undefined> {
  const present = instanceIn(await accounts.readRaw(name));
  return present?.instanceId === id ? present : instanceIn(await accounts.tombstone(name, id));
}

export interface InstancePage {
  readonly instances: readonly Instance[];
  readonly next?: string;
}

/** The present account first, then those that were deleted, in the order of their ids. */
export async function instancesOf(name: string, page: ChainPageRequest, tools: ChainTools): Promise<InstancePage> {
  const folded = parseAccountName(name);
  const [record, { tombstones, next }] = await Promise.all([
    page.after === undefined ? tools.accounts.readRaw(folded) : undefined,
    tools.accounts.tombstones(folded, page),
  ]);
  const present = instanceIn(record);
  // A delete that is being finished has left both.
  const buried = instancesIn(tombstones).filter(({ instanceId }) => instanceId !== present?.instanceId);
  const instances = [...(present === undefined ? [] : [present]), ...buried];
  return { instances, ...defined({ next }) };
}

export function bindingChain(bindingId: string, { bindings }: ChainTools): Chain {
  const id = fold(bindingId);
  return {
    id,
    head: async () => headIn(await bindings.readRaw(id)),
    page: (asked) => bindings.audit(id, asked),
    absent: new Refusal('NotFound', 'There is no binding of this id.', { target: 'bindingId' }),
  };
}

export const ownChain = ({ serviceAudit }: Pick<ChainTools, 'serviceAudit'>): Chain => ({
  id: serviceChain,
  head: async () => headOf((await serviceAudit.readRaw())?.value),
  page: (asked) => serviceAudit.audit(asked),
});

/** @throws Refusal NotFound */
export async function readChain(chain: Chain, asked: ChainPageRequest): Promise<ChainPage> {
  const page = await chain.page(asked);
  const isEmpty = page.rows.length === 0 && asked.after === undefined;
  if (isEmpty && chain.absent !== undefined && (await chain.head()).sequence === 0) throw chain.absent;
  return page;
}
