/** Rows of data keys: when generations were last seen, in the account's partition; and the keys of key statuses, in the service's. */
import { fold } from '../core/base/names.ts';
import type { EpochMs } from '../core/base/time.ts';
import type { DataKeyUseStore, StatusKeyRow, StatusKeyStore } from '../core/dataKeys/ports.ts';
import { keyOnly, type OpenTable, odata, rowOf, valueIfAny } from './tables.ts';

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
      return new Map(rows.map(({ value }) => [value.generation, value.at]));
    },

    async clear(account) {
      const range = odata`PartitionKey eq ${fold(account)} and RowKey gt 'dataKeys:' and RowKey lt 'dataKeys;'`;
      const rows = await table.query(range, 1000, keyOnly);
      await Promise.all(rows.map(({ rowKey, etag }) => table.remove({ partitionKey: fold(account), rowKey }, etag)));
    },
  };
}

const isStatusKey = (value: unknown): value is StatusKeyRow => {
  const { slot, createdAt, sealed } = Object(value) as Partial<Record<keyof StatusKeyRow, unknown>>;
  return typeof slot === 'string' && typeof createdAt === 'number' && typeof sealed === 'string';
};

export function createStatusKeyStore(open: OpenTable): StatusKeyStore {
  const table = open('service');
  const key = (slot: string) => ({ partitionKey: 'statusKeys', rowKey: slot });

  return {
    async list() {
      const rows = await table.query(odata`PartitionKey eq 'statusKeys'`, 1000, valueIfAny);
      return rows.map(({ value }) => value).filter(isStatusKey);
    },
    async insert(row) {
      await table.insert(rowOf(key(row.slot), row));
    },
    async remove(slot) {
      const row = await table.read(key(slot), keyOnly);
      if (row !== undefined) await table.remove(key(slot), row.etag);
    },
  };
}
