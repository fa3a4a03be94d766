/**
 * Bindings: one partition for each, with its watch, the watch's audit entries, and a row per bound account and version.
 */
import type { AuditEntry } from '../core/audit/auditEntry.ts';
import type { BindingChainStore } from '../core/audit/ports.ts';
import type { BoundAccount, BoundAccountStore, WatchStore } from '../core/watch/ports.ts';
import type { Watch } from '../core/watch/watch.ts';
import { auditPage, auditRow } from './auditRows.ts';
import { type OpenTable, odata, rowOf } from './tables.ts';

export function createBindingStore(open: OpenTable): WatchStore & BoundAccountStore & BindingChainStore {
  const table = open('bindings');
  const watchKey = (bindingId: string) => ({ partitionKey: bindingId, rowKey: 'watch' });
  const boundKey = (bindingId: string, { version, name, instanceId }: BoundAccount) => ({
    partitionKey: bindingId,
    rowKey: `bound:${version}:${name}:${instanceId}`,
  });
  const auditRows = (entries: readonly AuditEntry[]) => entries.map((entry) => auditRow(entry.chain, entry));

  return {
    readWatch: (bindingId) => table.read<Watch>(watchKey(bindingId)),
    readRaw: (bindingId) => table.readIfAuthentic(watchKey(bindingId)),

    async createWatch(watch, entries) {
      await table.batch(rowOf(watchKey(watch.binding.id), watch), undefined, auditRows(entries));
    },

    async saveWatch({ value, etag }, entries) {
      const row = rowOf(watchKey(value.binding.id), value);
      const next = entries.length === 0 ? table.replace(row, etag) : table.batch(row, etag, auditRows(entries));
      return { value, etag: await next };
    },

    putAccount: (bindingId, account) =>
      // `follows` is also a column, so that the service can filter by it.
      table.put(rowOf(boundKey(bindingId, account), account, { follows: account.follows })),

    readAccount: (bindingId, account) => table.read<BoundAccount>(boundKey(bindingId, account)),

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
      // A damaged row is only a hint too few: the daily pass writes it again.
      const rows = found.flatMap(({ value, ...row }) => (value === undefined ? [] : [{ ...row, value }]));
      return found.length < limit || last === undefined ? { rows } : { rows, next: last.rowKey };
    },

    audit: (bindingId, page) => auditPage(table, bindingId, bindingId, page),
  };
}
