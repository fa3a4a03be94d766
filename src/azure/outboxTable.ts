/**
 * The outbox: one partition a chain, so that no partition is everybody's, and rows in order of sequence numbers. When the row was
 * written stands as a column too, so that the service can pick by it. Small, unless the topic fails for long.
 */
import * as z from 'zod';
import type { AuditEntry } from '../core/audit.ts';
import { fold } from '../core/names.ts';
import type { Outbox, OutboxRow } from '../core/ports.ts';
import { serviceChain } from '../core/serviceAudit.ts';
import { iso } from '../core/time.ts';
import { auditKey } from './auditRows.ts';
import { type OpenTable, odata, type RowKey, rowOf, type TableName, valueIn } from './tables.ts';

/** Somebody's damage to one row must hold up no other. */
const outboxRow = z.object({
  id: z.string(),
  chain: z.string(),
  subject: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('account'), name: z.string(), owner: z.string() }),
    z.object({ kind: z.literal('binding'), keyIdentifier: z.string() }),
    z.object({ kind: z.literal('service') }),
  ]),
  first: z.int().positive(),
  hashes: z.array(z.string()).min(1).max(100),
  at: z.number(),
});

const keyOf = ({ chain, first, id }: OutboxRow): RowKey => ({
  partitionKey: chain,
  rowKey: `${String(first).padStart(10, '0')}:${id}`,
});

/** Where the chain's entries stand. */
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

export function createOutbox(open: OpenTable): Outbox {
  const table = open('outbox');

  return {
    put: (row) => table.put({ ...rowOf(keyOf(row), row), at: iso(row.at) }),

    async remove(row) {
      await table.remove(keyOf(row));
    },

    async page({ before, limit, after }) {
      const [partition = '', row = ''] = after?.split(' ') ?? [];
      const old = odata`at lt ${iso(before)}`;
      const behind = odata`PartitionKey gt ${partition} or (PartitionKey eq ${partition} and RowKey gt ${row})`;
      const filter = after === undefined ? old : `(${behind}) and ${old}`;
      const found = await table.query(filter, limit, readable);
      const rows = found.flatMap(({ value }) => (value === undefined ? [] : [value]));
      const last = found.length < limit ? undefined : found.at(-1);
      const next = last === undefined ? {} : { next: `${last.partitionKey} ${last.rowKey}` };
      return { rows, unreadable: found.length - rows.length, ...next };
    },

    async entries(row) {
      const { table: name, partitionKey } = placeOf(row);
      const chain = open(name);
      const read = row.hashes.map((_, index) =>
        chain.read<AuditEntry>(auditKey(partitionKey, { chain: row.chain, sequence: row.first + index })),
      );
      return (await Promise.all(read)).flatMap((entry) => (entry === undefined ? [] : [entry.value]));
    },
  };
}

function readable(entity: Parameters<typeof valueIn>[0]): OutboxRow | undefined {
  try {
    return outboxRow.parse(valueIn(entity));
  } catch {
    return undefined;
  }
}
