/**
 * Long-running operations: one partition for each day, with which the id begins, so that old ones are deleted by day.
 */

import { dayOf, type Operation } from '../core/ams/operation.ts';
import type { CreationMarks, DeletionMarks, OperationStore } from '../core/ams/ports.ts';
import type { ArmPath } from '../core/base/armPath.ts';
import { fold, indexKey } from '../core/base/names.ts';
import type { EpochMs } from '../core/base/time.ts';
import { batchLimit } from './rowBatches.ts';
import { type RowKey, rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

const keyOf = (id: string): RowKey => ({ partitionKey: id.slice(0, 8), rowKey: id });

/** The last delete of the account on that day. */
const markKey = (day: string, account: string, { subscriptionId, resourceGroup }: ArmPath): RowKey => ({
  partitionKey: day,
  rowKey: `deleted-${indexKey(account, fold(subscriptionId), fold(resourceGroup))}`,
});

/** The last creation of an account on that day that waits, or waited. */
const creationKey = (day: string, account: string): RowKey => ({
  partitionKey: day,
  rowKey: `creating-${indexKey(account)}`,
});

interface CreationMark {
  readonly id: string;
  readonly startedAt: EpochMs;
}

/** One request to the tables; a list of accounts shows no more of a day. */
const maxAwaited = 1000;

export function createOperationStore(open: OpenTable): OperationStore & DeletionMarks & CreationMarks {
  const table = open('operations');
  return {
    read: (id) => table.read<Operation>(keyOf(id)),
    async insert(operation) {
      await table.put(rowOf(keyOf(operation.id), operation));
    },
    async replace({ value, etag }) {
      await table.replace(rowOf(keyOf(value.id), value), etag);
    },
    markDeleted: (account, place, at) => table.put(rowOf(markKey(dayOf(at), account, place), { at })),
    async isDeletedSince(account, place, { from, to }) {
      // An operation waits far less than a day.
      const days = [...new Set([dayOf(from), dayOf(to)])];
      const marks = await Promise.all(days.map((day) => table.read<{ at: EpochMs }>(markKey(day, account, place))));
      return marks.some((mark) => mark !== undefined && mark.value.at >= from);
    },
    async markCreation({ id, account, startedAt }) {
      await table.put(rowOf(creationKey(dayOf(startedAt), account), { id, startedAt }));
    },
    async lastCreation(account, { from, to }) {
      for (const day of new Set([dayOf(to), dayOf(from)])) {
        const id = (await table.read<{ id: string }>(creationKey(day, account)))?.value.id;
        if (id !== undefined) return (await table.read<Operation>(keyOf(id)))?.value;
      }
      return undefined;
    },
    async lastCreations({ from, to }) {
      const ids: string[] = [];
      for (const day of new Set([dayOf(from), dayOf(to)])) {
        const range = odata`PartitionKey eq ${day} and RowKey ge ${'creating-'} and RowKey lt ${'creating.'}`;
        const marks = await table.query<CreationMark>(range, maxAwaited);
        for (const { value } of marks) if (value !== undefined && value.startedAt >= from) ids.push(value.id);
      }
      const operations = await Promise.all(ids.map((id) => table.read<Operation>(keyOf(id))));
      return operations.flatMap((one) => one?.value ?? []);
    },
    async clearBefore(day) {
      const rows = await table.queryKeys(odata`PartitionKey lt ${day}`, batchLimit);
      const [first] = rows;
      if (first === undefined) return 0;
      await table.removeAll(rows.filter(({ partitionKey }) => partitionKey === first.partitionKey));
      return rows.length;
    },
  };
}
