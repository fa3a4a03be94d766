/** The tables of small rows: vaults, purges, claims, the service's own chain, and the mark of the last sweep. */

import type { DuePurge, PurgeSchedule, ScheduledPurge } from '../core/accounts/ports.ts';
import type { ServiceAuditStore, ServiceHead } from '../core/audit/ports.ts';
import { serviceChain } from '../core/audit/serviceAudit.ts';
import { defined } from '../core/base/defined.ts';
import { LostRace } from '../core/base/errors.ts';
import { fold, indexKey } from '../core/base/names.ts';
import { type EpochMs, instantOf, iso } from '../core/base/time.ts';
import type { WorkLock, WorkTicket } from '../core/base/workLock.ts';
import { identityParts, vaultIdOf } from '../core/customerKey/binding.ts';
import type { Claim, Claims } from '../core/customerKey/ports.ts';
import type { CustomerLink, CustomerLinkStore } from '../core/customerPage/ports.ts';
import type { DailyPassState, DailyPassStore } from '../core/dailyProgress.ts';
import type { DrillResult, DrillStore } from '../core/drill.ts';
import type { RangeState, RangeStore, SweepMark } from '../core/vaultWork/ports.ts';
import type { IdentityDenials } from '../core/watch/identityDenials.ts';
import type { IdentityDenialStore, VaultBindings, VaultBudgets, VaultDirectory } from '../core/watch/ports.ts';
import type { Budget } from '../core/watch/vaultBudget.ts';
import { auditPage, auditRow, saveWithEntries } from './auditRows.ts';
import { type OpenTable, odata, plainRowOf, type RowKey, rowOf } from './tables.ts';

const everything = Number.POSITIVE_INFINITY;
const rowsAPage = 1000;
/** Ids of vaults are hexadecimal. */
const allVaults = { from: '0', to: 'g' };

function byVault(rows: readonly RowKey[]): VaultBindings[] {
  const vaults = Map.groupBy(rows, ({ partitionKey }) => partitionKey);
  return [...vaults].map(([id, ofVault]) => ({
    id,
    bindings: ofVault.map(({ rowKey }) => rowKey.slice('binding:'.length)),
  }));
}

/** One partition for each vault: a row per binding, and its worker. It grows with keys, not with accounts. */
export function createVaultStore(open: OpenTable): VaultDirectory & VaultBudgets & WorkLock {
  const table = open('vaults');
  const workerKey = (vaultId: string) => ({ partitionKey: vaultId, rowKey: 'worker' });
  const budgetKey = (vaultId: string) => ({ partitionKey: vaultId, rowKey: 'budget' });
  const waitingKey = (vaultId: string) => ({ partitionKey: vaultId, rowKey: 'waiting' });
  type Work = { readonly forMs: number };

  async function bindings(vaultId: string): Promise<string[]> {
    const range = odata`PartitionKey eq ${vaultId} and RowKey gt 'binding:' and RowKey lt 'binding;'`;
    return (await table.queryKeys(range, everything)).map(({ rowKey }) => rowKey.slice('binding:'.length));
  }

  const page: VaultDirectory['page'] = async ({ from, to }, rows, after) => {
    const first = after === undefined ? odata`PartitionKey ge ${from}` : odata`PartitionKey gt ${after}`;
    const range = odata`PartitionKey lt ${to} and RowKey gt 'binding:' and RowKey lt 'binding;'`;
    const found = await table.queryKeys(`${first} and ${range}`, rows);
    const vaults = byVault(found);
    const last = vaults.at(-1);
    if (found.length < rows || last === undefined) return { vaults };
    // The page may end in the middle of its last vault, which is on the next page then, or on this one with all its bindings.
    const whole = vaults.slice(0, -1);
    const end = whole.at(-1);
    if (end !== undefined) return { vaults: whole, next: end.id };
    return { vaults: [{ id: last.id, bindings: await bindings(last.id) }], next: last.id };
  };

  return {
    async addBinding(vaultHost, bindingId) {
      const partitionKey = vaultIdOf(vaultHost);
      await table.insert(rowOf({ partitionKey, rowKey: 'vault' }, { vaultHost }));
      await table.insert(rowOf({ partitionKey, rowKey: `binding:${bindingId}` }, {}));
    },

    bindings,

    page,

    async *list() {
      for (let after: string | undefined; ; ) {
        const { vaults, next } = await page(allVaults, rowsAPage, after);
        for (const { id } of vaults) yield id;
        if (next === undefined) return;
        after = next;
      }
    },

    async beginWork(vaultId, forMs) {
      const row = rowOf(workerKey(vaultId), { forMs } satisfies Work);
      const fresh = await table.insert(row);
      if (fresh !== undefined) return fresh as WorkTicket;
      const current = await table.readIfAuthentic<Work>(workerKey(vaultId));
      if (current === undefined) return undefined;
      // No lease is longer than one of this kind: a longer one comes from a host with other settings, and is void.
      const isHeld = current.value !== undefined && current.ageMs < Math.min(current.value.forMs, forMs);
      // Left behind by a worker that died, or by another writer of the table.
      return isHeld ? undefined : ((await table.replaceIfUnchanged(row, current.etag)) as WorkTicket | undefined);
    },

    async keepWork(vaultId, ticket, forMs) {
      const row = rowOf(workerKey(vaultId), { forMs } satisfies Work);
      return (await table.replaceIfUnchanged(row, ticket)) as WorkTicket | undefined;
    },

    async endWork(vaultId, ticket) {
      await table.remove(workerKey(vaultId), ticket);
    },

    async mayWait(vaultId, delayMs) {
      const row = rowOf(waitingKey(vaultId), {});
      if ((await table.insert(row)) !== undefined) return true;
      const current = await table.readIfAuthentic(waitingKey(vaultId));
      if (current !== undefined && current.ageMs < delayMs) return false;
      return current === undefined || (await table.replaceIfUnchanged(row, current.etag)) !== undefined;
    },

    readBudget: async (vaultId) => (await table.readIfAuthentic<Budget>(budgetKey(vaultId)))?.value,
    saveBudget: (vaultId, budget) => table.put(rowOf(budgetKey(vaultId), budget)),
  };
}

/** By time, in one partition of the directory. Rows are used by their keys only. */
export function createPurgeSchedule(open: OpenTable): PurgeSchedule {
  const table = open('directory');
  const partitionKey = 'purges';
  const key = ({ name, purgeAt }: ScheduledPurge) => ({ partitionKey, rowKey: `${iso(purgeAt)}!${name}` });

  return {
    put: (purge) => table.put(rowOf(key(purge), {})),
    async due(until, limit, after = '') {
      // `"` is the character after `!`, and neither is in a time.
      const end = `${iso(until)}"`;
      const filter = odata`PartitionKey eq ${partitionKey} and RowKey gt ${after} and RowKey lt ${end}`;
      const found = await table.queryKeys(filter, limit);
      const rows: DuePurge[] = [];
      for (const { rowKey, writtenAt, ageMs } of found) {
        const [at = '', name = ''] = rowKey.split('!');
        const purge = { name, purgeAt: instantOf(at), readAt: writtenAt + ageMs };
        if (isTime(purge.purgeAt) && key(purge).rowKey === rowKey) rows.push(purge);
        // A foreign row would delay those behind it in each sweep.
        else await table.remove({ partitionKey, rowKey });
      }
      return { rows, ...(found.length < limit ? {} : defined({ next: found.at(-1)?.rowKey })) };
    },
    async remove(purge) {
      await table.remove(key(purge));
    },
  };
}

export function createClaims(open: OpenTable): Claims {
  const table = open('claims');
  const key = (kind: string, value: string) => ({
    partitionKey: indexKey('claim', kind, fold(value)),
    rowKey: 'claim',
  });
  const find: Claims['find'] = (kind, value) => table.read<Claim>(key(kind, value));
  const mark: Claims['mark'] = async ({ value: { isReleasing: _, ...claim }, etag }, isReleasing) => {
    const value: Claim = isReleasing ? { ...claim, isReleasing } : claim;
    const next = await table.replaceIfUnchanged(rowOf(key(claim.kind, claim.value), value), etag);
    return next === undefined ? undefined : { value, etag: next };
  };

  return {
    find,
    mark,
    async claim(kind, value, owner, at) {
      const fresh: Claim = { kind, value: fold(value), owner, at };
      if ((await table.insert(rowOf(key(kind, value), fresh))) !== undefined) return owner;
      const held = await find(kind, value);
      if (held === undefined) throw new LostRace('The claim has just been released.');
      if (held.value.owner !== owner || held.value.isReleasing === undefined) return held.value.owner;
      if ((await mark(held, false)) === undefined) throw new LostRace('The claim is being released.');
      return owner;
    },
    release: ({ value, etag }) => table.remove(key(value.kind, value.value), etag),
  };
}

export const headKey = { partitionKey: serviceChain, rowKey: 'head' };

export function createServiceAuditStore(open: OpenTable): ServiceAuditStore {
  const table = open('service');

  return {
    head: () => table.readIfAuthentic<ServiceHead>(headKey),
    async append(etag, head, entries) {
      const rows = entries.map((entry) => auditRow(serviceChain, entry));
      await saveWithEntries(table, rowOf(headKey, head), etag, rows);
    },
    audit: (page) => auditPage(table, serviceChain, serviceChain, page),
  };
}

/** Any number can be in a plain row, and a date of JavaScript has a smaller range. */
const isTime = (value: unknown): value is EpochMs =>
  typeof value === 'number' && !Number.isNaN(new Date(value).getTime());

/** Plain, so that a process without rings can report its health. It decides nothing. */
export function createSweepMark(open: OpenTable): SweepMark {
  const table = open('service');
  const key = { partitionKey: 'sweep', rowKey: 'last' };

  const markIn = (row: { readonly value: unknown } | undefined): EpochMs | undefined => {
    const { at } = Object(row?.value) as { at?: unknown };
    return isTime(at) ? at : undefined;
  };

  return {
    read: async () => markIn(await table.readPlain(key)),
    write: (at) => table.put(plainRowOf(key, { at })),
    async replace(before, at) {
      const stored = await table.readPlain(key);
      if (markIn(stored) !== before) return false;
      return (await table.writeIfUnchanged(plainRowOf(key, { at }), stored?.etag)) !== undefined;
    },
  };
}

/** In one partition, so that the states of all ranges are a query. The rows of another number of ranges are not read. */
export function createRangeStore(open: OpenTable): RangeStore {
  const table = open('service');
  const partitionKey = 'ranges';
  const padded = (number: number) => String(number).padStart(4, '0');
  const rangesOf = (of: number) => `${padded(of)}:`;

  return {
    async read({ range, of }) {
      const rowKey = `${rangesOf(of)}${padded(range)}`;
      return (await table.readIfAuthentic<RangeState>({ partitionKey, rowKey }))?.value ?? {};
    },
    write: ({ range, of }, state) =>
      table.put(rowOf({ partitionKey, rowKey: `${rangesOf(of)}${padded(range)}` }, state)),
    async all(of) {
      const [from, to] = [rangesOf(of), rangesOf(of).replace(':', ';')];
      const range = odata`PartitionKey eq ${partitionKey} and RowKey gt ${from} and RowKey lt ${to}`;
      const rows = await table.query<RangeState>(range, of);
      const states = new Map(rows.map(({ rowKey, value }) => [rowKey, value ?? {}]));
      return Array.from({ length: of }, (_, number) => states.get(`${from}${padded(number)}`) ?? {});
    },
  };
}

/** Plain, as the sweep's mark: readiness shows it, and it decides nothing. */
export function createDailyPassStore(open: OpenTable): DailyPassStore {
  const table = open('service');
  const key = { partitionKey: 'dailyPass', rowKey: 'last' };

  return {
    async read() {
      const { startedAt, messages, isDivided } = Object((await table.readPlain(key))?.value) as Partial<DailyPassState>;
      if (!isTime(startedAt) || !Number.isSafeInteger(messages) || messages === undefined) return undefined;
      return { startedAt, messages, isDivided: isDivided === true };
    },
    write: (state) => table.put(plainRowOf(key, state)),
  };
}

export function createDrillStore(open: OpenTable): DrillStore {
  const table = open('service');
  const key = { partitionKey: 'drills', rowKey: 'last' };

  return {
    async read() {
      const stored = await table.readIfAuthentic<{ readonly results: readonly DrillResult[] }>(key);
      return stored && { value: stored.value?.results ?? [], etag: stored.etag };
    },
    async write(results, etag) {
      return (await table.writeIfUnchanged(rowOf(key, { results }), etag)) !== undefined;
    },
  };
}

/** One partition for each owner. */
export function createCustomerLinkStore(open: OpenTable): CustomerLinkStore {
  const table = open('service');
  const partitionOf = (owner: string) => `links:${indexKey('link', owner)}`;
  const key = (owner: string, id: string) => ({ partitionKey: partitionOf(owner), rowKey: id });

  return {
    async insert(link) {
      await table.insert(rowOf(key(link.owner, link.id), link));
    },
    read: async (owner, id) => (await table.readIfAuthentic<CustomerLink>(key(owner, id)))?.value,
    async list(owner) {
      const rows = await table.query<CustomerLink>(odata`PartitionKey eq ${partitionOf(owner)}`, rowsAPage);
      return rows.flatMap(({ value }) => value ?? []);
    },
    remove: (owner, id) => table.remove(key(owner, id)),
  };
}

/** In one partition, so that all of them are a query. */
export function createIdentityDenialStore(open: OpenTable): IdentityDenialStore {
  const table = open('service');
  const partitionKey = 'identityDenials';
  const keyOf = (identity: IdentityDenials['identity']) => ({
    partitionKey,
    rowKey: indexKey('identity', ...identityParts(identity)),
  });

  return {
    async read(identity) {
      const row = await table.readIfAuthentic<IdentityDenials>(keyOf(identity));
      return row && { value: row.value ?? { identity, denials: [] }, etag: row.etag };
    },
    async write(denials, etag) {
      return (await table.writeIfUnchanged(rowOf(keyOf(denials.identity), denials), etag)) !== undefined;
    },
    async list() {
      const rows = await table.query<IdentityDenials>(odata`PartitionKey eq ${partitionKey}`, rowsAPage);
      return rows.flatMap(({ value }) => value ?? []);
    },
  };
}
