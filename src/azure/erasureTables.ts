/** Rows that an erasure reads and replaces, in the tables of several stores. */
import type { OutboxRow } from '../core/announcements/ports.ts';
import { serviceChain } from '../core/audit/serviceAudit.ts';
import type { Claim } from '../core/customerKey/ports.ts';
import type { ErasedChain, OwnerTraces } from '../core/erasure/ports.ts';
import { tombstoneKey } from './accountTable.ts';
import { auditRow } from './auditRows.ts';
import { outboxRow } from './outboxTable.ts';
import { ofOwnerText } from './overviewTable.ts';
import { batchLimit } from './rowBatches.ts';
import { type RowKey, rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

const everything = Number.POSITIVE_INFINITY;

function* batchesOf<T>(rows: readonly T[]): Generator<T[]> {
  for (let from = 0; from < rows.length; from += batchLimit) yield rows.slice(from, from + batchLimit);
}

export function createErasureStore(open: OpenTable): ErasedChain & OwnerTraces {
  return {
    async replaceEntries(of, entries) {
      const [table, partitionKey] = of === 'service' ? [open('service'), serviceChain] : [open('accounts'), of.account];
      const rows = entries.map((entry) => ({ put: auditRow(partitionKey, entry), etag: '*' }));
      for (const batch of batchesOf(rows)) await table.transact(batch);
    },

    async saveTombstone({ value, etag }) {
      const row = rowOf(tombstoneKey(value.name, value.instanceId), value);
      return (await open('accounts').replaceIfUnchanged(row, etag)) !== undefined;
    },

    async waitingOf(chain) {
      const rows = await open('outbox').query<OutboxRow>(odata`PartitionKey eq ${chain}`, everything);
      return rows.flatMap(({ value }) => value ?? []);
    },

    putWaiting: (row) => open('outbox').put(outboxRow(row)),

    async claimsOf(owner) {
      const rows = await open('claims').query<Claim>(odata`RowKey eq 'claim'`, everything);
      return rows.flatMap(({ value }) => (value?.owner === owner ? [value] : []));
    },

    async removeFromOverview(owner) {
      const table = open('overview');
      const remove = async (range: string) => {
        const rows: RowKey[] = await table.queryKeys(range, everything);
        for (const batch of batchesOf(rows)) await table.removeAll(batch);
      };
      await remove(odata`PartitionKey eq ${ofOwnerText(owner)}`);
      // `"` is the character after `!`.
      await remove(odata`PartitionKey eq 'marks' and RowKey ge ${`${owner}!`} and RowKey lt ${`${owner}"`}`);
    },
  };
}
