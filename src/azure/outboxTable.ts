/**
 * The outbox: one partition for each chain, so that no partition becomes hot, with rows in order of sequence numbers.
 * The time of the write is a column too, so that Table Storage can filter by it. The table is small unless the topic
 * fails for long.
 */
import * as z from 'zod';
import type { Outbox, OutboxRow } from '../core/announcements/ports.ts';
import { type AuditEntry, positionText } from '../core/audit/auditEntry.ts';
import { serviceChain } from '../core/audit/serviceAudit.ts';
import { accountNamePattern, fold, ownerPattern } from '../core/base/names.ts';
import { iso } from '../core/base/time.ts';
import { auditKey } from './auditRows.ts';
import { type OpenTable, odata, type RowKey, rowOf, type TableName, valueIfAny } from './tables.ts';

/**
 * One damaged row must not delay another. Every part of a key is validated, so that no row can make the store return an
 * error that looks like a failure of the store.
 */
const keyPart = z.string().regex(/^[\w-]{1,64}$/);
const outboxRow = z.object({
  id: keyPart,
  chain: keyPart,
  subject: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('account'),
      name: z.string().regex(accountNamePattern),
      owner: z.string().regex(ownerPattern),
    }),
    z.object({ kind: z.literal('binding'), keyIdentifier: z.string().max(300) }),
    z.object({ kind: z.literal('service') }),
  ]),
  first: z.int().positive().max(9_999_999_999),
  hashes: z
    .array(z.string().regex(/^[\w-]{43}$/))
    .min(1)
    .max(100),
  at: z.number(),
  isRefused: z.literal(true).optional(),
});

const keyOf = ({ chain, first, id }: OutboxRow): RowKey => ({
  partitionKey: chain,
  rowKey: `${positionText(first)}:${id}`,
});

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
    put: (row) => table.put({ ...rowOf(keyOf(row), row), at: iso(row.at) }),

    async remove(row) {
      await table.remove(keyOf(row));
    },

    async page({ before, limit, after }) {
      const [partition = '', row = ''] = after?.split(betweenKeys) ?? [];
      const old = odata`at lt ${iso(before)}`;
      const behind = odata`PartitionKey gt ${partition} or (PartitionKey eq ${partition} and RowKey gt ${row})`;
      const filter = after === undefined ? old : `(${behind}) and ${old}`;
      const found = await table.query(filter, limit, valueIfAny);
      const rows = found.flatMap(({ value, ...key }) => ownRow(value, key));
      const last = found.length < limit ? undefined : found.at(-1);
      const next = last === undefined ? {} : { next: `${last.partitionKey}${betweenKeys}${last.rowKey}` };
      return { rows, unreadable: found.length - rows.length, ...next };
    },

    async entries(row) {
      const { table: name, partitionKey } = placeOf(row);
      const chain = open(name);
      const read = row.hashes.map((_, index) =>
        chain.read(auditKey(partitionKey, { chain: row.chain, sequence: row.first + index }), valueIfAny),
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

/**
 * Empty when the row is not Keyward's, or is under a key that is not its own: Keyward would publish and delete another
 * row.
 */
function ownRow(value: unknown, { partitionKey, rowKey }: RowKey): [] | [OutboxRow] {
  const { data: row } = outboxRow.safeParse(value);
  if (row === undefined) return [];
  const key = keyOf(row);
  return key.partitionKey === partitionKey && key.rowKey === rowKey ? [row] : [];
}
