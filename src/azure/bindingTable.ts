/**
 * Bindings: one partition for each, with its watch, the watch's audit entries, and a row per bound account and version.
 */
import type { AuditEntry } from '../core/audit/auditEntry.ts';
import type { BindingChainStore } from '../core/audit/ports.ts';
import { defined } from '../core/base/defined.ts';
import type { SweptWatches } from '../core/vaultWork/ports.ts';
import type { BoundAccount, BoundAccountStore, SampleStore, WatchStore } from '../core/watch/ports.ts';
import type { LookSample } from '../core/watch/sample.ts';
import type { Watch } from '../core/watch/watch.ts';
import { auditPage, auditRow, saveWithEntries } from './auditRows.ts';
import { rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

/**
 * The key of a row names its account too. Whether the account follows its key's newest version, only its record says
 * then.
 */
function accountIn(rowKey: string): BoundAccount | undefined {
  const [, version, name, instanceId, ...more] = rowKey.split(':');
  if (version === undefined || name === undefined || instanceId === undefined || more.length > 0) return undefined;
  return { version, name, instanceId, follows: false };
}

/** Far more than the bindings whose ids begin alike. */
const maxAlike = 16;

export function createBindingStore(
  open: OpenTable,
): WatchStore & SweptWatches & SampleStore & BoundAccountStore & BindingChainStore {
  const table = open('bindings');
  const watchKey = (bindingId: string) => ({ partitionKey: bindingId, rowKey: 'watch' });
  const sampleKey = (bindingId: string) => ({ partitionKey: bindingId, rowKey: 'sample' });
  const boundKey = (bindingId: string, { version, name, instanceId }: BoundAccount) => ({
    partitionKey: bindingId,
    rowKey: `bound:${version}:${name}:${instanceId}`,
  });
  const auditRows = (entries: readonly AuditEntry[]) => entries.map((entry) => auditRow(entry.chain, entry));

  return {
    async readWatchWithSample(bindingId) {
      const range = odata`PartitionKey eq ${bindingId} and RowKey ge 'sample' and RowKey le 'watch'`;
      const rows = await table.query<unknown>(range, 2);
      const found = new Map(rows.flatMap((row) => (row.value === undefined ? [] : [[row.rowKey, row] as const])));
      const [watch, sample] = [found.get('watch'), found.get('sample')];
      return defined({
        watch: watch && { value: watch.value as Watch, etag: watch.etag },
        sample: sample && { value: sample.value as LookSample, ageMs: sample.ageMs },
      });
    },

    async saveSample(bindingId, sample, { value, etag }) {
      await table.putTogether(rowOf(sampleKey(bindingId), sample), boundKey(bindingId, value), etag);
    },

    async removeSample(bindingId) {
      await table.remove(sampleKey(bindingId));
    },

    readWatch: (bindingId) => table.read<Watch>(watchKey(bindingId)),
    readRaw: (bindingId) => table.readIfAuthentic(watchKey(bindingId)),

    async damagedWatch(bindingId) {
      const row = await table.readIfAuthentic(watchKey(bindingId));
      return row?.value === undefined ? row?.etag : undefined;
    },

    async beginningWith(digits) {
      const ids: string[] = [];
      // One row of each partition. Ids are hexadecimal, so `g` sorts after them.
      for (let after = digits; ids.length < maxAlike; ) {
        const [row] = await table.queryKeys(odata`PartitionKey gt ${after} and PartitionKey lt ${`${digits}g`}`, 1);
        if (row === undefined) break;
        after = row.partitionKey;
        ids.push(after);
      }
      return ids;
    },

    async createWatch(watch, entries, damagedEtag) {
      await saveWithEntries(table, rowOf(watchKey(watch.binding.id), watch), damagedEtag, auditRows(entries));
    },

    async saveWatch({ value, etag }, entries) {
      const row = rowOf(watchKey(value.binding.id), value);
      const next =
        entries.length === 0 ? table.replace(row, etag) : saveWithEntries(table, row, etag, auditRows(entries));
      return { value, etag: await next };
    },

    putAccount: (bindingId, account) =>
      // `follows` is also a column, so that the service can filter by it.
      table.put(rowOf(boundKey(bindingId, account), account, { follows: account.follows })),

    async readAccount(bindingId, account) {
      const row = await table.readIfAuthentic<BoundAccount>(boundKey(bindingId, account));
      if (row === undefined) return undefined;
      const { value, etag } = row;
      return value === undefined ? { value: account, etag, isDamaged: true } : { value, etag };
    },

    async removeAccount(bindingId, { value, etag }) {
      await table.remove(boundKey(bindingId, value), etag);
    },

    async accounts(bindingId, { version, limit, onlyFollowing, from }) {
      const prefix = version === undefined ? 'bound' : `bound:${version}`;
      const [first, end] = [from ?? `${prefix}:`, `${prefix};`];
      const range = odata`PartitionKey eq ${bindingId} and RowKey gt ${first} and RowKey lt ${end}`;
      const filter = onlyFollowing === true ? `${range} and follows eq true` : range;
      const found = await table.query<BoundAccount>(filter, limit);
      const last = found.at(-1);
      const rows = found.flatMap(({ value, rowKey: position, etag, ageMs }) => {
        const named = value ?? accountIn(position);
        const damaged = value === undefined ? ({ isDamaged: true } as const) : {};
        return named === undefined ? [] : [{ value: named, etag, ageMs, position, ...damaged }];
      });
      return found.length < limit || last === undefined ? { rows } : { rows, next: last.rowKey };
    },

    audit: (bindingId, page) => auditPage(table, bindingId, bindingId, page),
  };
}
