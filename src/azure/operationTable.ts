/** Long-running operations: one partition a day, which the id begins with, so that what is over can be cleared by day. */
import type { Operation } from '../core/operations/operation.ts';
import type { OperationStore } from '../core/ports.ts';
import { keyOnly, type OpenTable, odata, type RowKey, rowOf } from './tables.ts';

/** Azure Table Storage: 100 operations in an entity-group transaction. */
const batchLimit = 100;

const keyOf = (id: string): RowKey => ({ partitionKey: id.slice(0, 8), rowKey: id });

export function createOperationStore(open: OpenTable): OperationStore {
  const table = open('operations');
  return {
    read: (id) => table.read<Operation>(keyOf(id)),
    async insert(operation) {
      await table.put(rowOf(keyOf(operation.id), operation));
    },
    async replace({ value, etag }) {
      await table.replace(rowOf(keyOf(value.id), value), etag);
    },
    async clearBefore(day) {
      const rows = await table.query(odata`PartitionKey lt ${day}`, batchLimit, keyOnly);
      const [first] = rows;
      if (first === undefined) return 0;
      await table.removeAll(rows.filter(({ partitionKey }) => partitionKey === first.partitionKey));
      return rows.length;
    },
  };
}
