/**
 * The outbox: one partition for each chain, so that no partition becomes hot, with rows in order of sequence numbers.
 * The time of the write is a column too, so that Table Storage can filter by it. The table is small unless the topic
 * fails for long.
 */
import type { Outbox, OutboxRow } from '../core/announcements/ports.ts';
import { type AuditEntry, positionText } from '../core/audit/auditEntry.ts';
import { serviceChain } from '../core/audit/serviceAudit.ts';
import { fold } from '../core/base/names.ts';
import { iso } from '../core/base/time.ts';
import { auditKey } from './auditRows.ts';
import { type Row, type RowKey, rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { TableName } from './tableNames.ts';
import type { OpenTable } from './tables.ts';

const keyOf = ({ chain, first, id }: OutboxRow): RowKey => ({
  partitionKey: chain,
  rowKey: `${positionText(first)}:${id}`,
});

export const outboxRow = (row: OutboxRow): Row => rowOf(keyOf(row), row, { at: iso(row.at) });

/** The table and partition of the chain's entries. */
function placeOf({ subject, chain }: OutboxRow): { readonly table: TableName; readonly partitionKey: string } {
  switch (subject.kind) {
    case 'account':
      return { table: 'accounts', partitionKey: fold(subject.name) };
    case 'binding':
      return { table: 'bindings', partitionKey: chain };
    case 'service':
      return { table: 'service', partitionKey: serviceChain };
  }
}

/** Table keys cannot contain it, so the token always has two parts. */
const betweenKeys = '/';

export function createOutbox(open: OpenTable): Outbox {
  const table = open('outbox');

  return {
    put: (row) => table.put(outboxRow(row)),

    async remove(row) {
      await table.remove(keyOf(row));
    },

    async page({ before, limit, after }) {
      const [partition = '', row = ''] = after?.split(betweenKeys) ?? [];
      const old = odata`at lt ${iso(before)}`;
      const later = odata`PartitionKey gt ${partition} or (PartitionKey eq ${partition} and RowKey gt ${row})`;
      const filter = after === undefined ? old : `(${later}) and ${old}`;
      const found = await table.query<OutboxRow>(filter, limit);
      const rows = found.flatMap(({ value }) => (value === undefined ? [] : [value]));
      const last = found.length < limit ? undefined : found.at(-1);
      const next = last === undefined ? {} : { next: `${last.partitionKey}${betweenKeys}${last.rowKey}` };
      return { rows, unreadable: found.length - rows.length, ...next };
    },

    async entries(row) {
      const { table: name, partitionKey } = placeOf(row);
      const chain = open(name);
      const read = row.hashes.map((_, index) =>
        chain.readPlain(auditKey(partitionKey, { chain: row.chain, sequence: row.first + index })),
      );
      const stored = (await Promise.all(read)).filter((row) => row !== undefined);
      const entries = stored.flatMap(({ value }) => (isEntry(value) ? [value] : []));
      return { entries, unreadable: stored.length - entries.length };
    },
  };
}

/** Whether the value has the form of an entry. The chain check decides whether it is genuine. */
const isEntry = (value: unknown): value is AuditEntry =>
  typeof value === 'object' && value !== null && 'hash' in value && typeof value.hash === 'string';
