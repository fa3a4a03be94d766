/**
 * Rows of data keys: when generations were last seen, in the account's partition; and the keys of key statuses, in the
 * service's.
 */
import { fold } from '../core/base/names.ts';
import type { EpochMs } from '../core/base/time.ts';
import type { DataKeyUseStore, PublicKeyRow, StatusKeyRow, StatusKeyStore } from '../core/dataKeys/ports.ts';
import { rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

export function createDataKeyUseStore(open: OpenTable): DataKeyUseStore {
  const table = open('accounts');
  const key = (account: string, instanceId: string, generation: number) => ({
    partitionKey: fold(account),
    rowKey: `dataKeys:${instanceId}:${String(generation).padStart(10, '0')}`,
  });

  return {
    markSeen: (account, instanceId, generation, at) =>
      table.put(rowOf(key(account, instanceId, generation), { generation, at })),

    async lastSeen(account, instanceId) {
      const [from, to] = [`dataKeys:${instanceId}:`, `dataKeys:${instanceId};`];
      const range = odata`PartitionKey eq ${fold(account)} and RowKey gt ${from} and RowKey lt ${to}`;
      const rows = await table.query<{ generation: number; at: EpochMs }>(range, 1000);
      // A damaged row counts as seen when it was written: to keep a generation for longer does no harm.
      return new Map(rows.map(({ rowKey, value, writtenAt }) => [Number(rowKey.slice(-10)), value?.at ?? writtenAt]));
    },

    async clear(account) {
      const range = odata`PartitionKey eq ${fold(account)} and RowKey gt 'dataKeys:' and RowKey lt 'dataKeys;'`;
      const rows = await table.queryKeys(range, 1000);
      await Promise.all(rows.map(({ rowKey, etag }) => table.remove({ partitionKey: fold(account), rowKey }, etag)));
    },
  };
}

export function createStatusKeyStore(open: OpenTable): StatusKeyStore {
  const table = open('service');
  const key = (slot: string) => ({ partitionKey: 'statusKeys', rowKey: slot });

  return {
    async list() {
      const rows = await table.query<StatusKeyRow>(odata`PartitionKey eq 'statusKeys'`, 1000);
      return rows.map(({ value }) => value).filter((value) => value !== undefined);
    },
    async insert(row) {
      await table.insert(rowOf(key(row.slot), row));
    },
    async remove(slot) {
      await table.remove(key(slot));
    },
    async retain(publicKey) {
      await table.insert(rowOf({ partitionKey: 'publicKeys', rowKey: publicKey.kid }, publicKey));
    },
    async retained() {
      const rows = await table.query<PublicKeyRow>(odata`PartitionKey eq 'publicKeys'`, 1000);
      return rows.map(({ value }) => value).filter((value) => value !== undefined);
    },
  };
}
