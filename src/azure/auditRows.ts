/** The rows of audit entries: in the partition of the chain's subject, in order of their sequence numbers. */
import { type AuditEntry, positionText } from '../core/audit/auditEntry.ts';
import { isGenuine } from '../core/audit/chainCheck.ts';
import type { ChainPage, ChainPageRequest } from '../core/audit/ports.ts';
import { LostRace } from '../core/base/errors.ts';
import { plainRowOf, type Row, type RowKey } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { Table } from './tables.ts';

export const auditKey = (
  partitionKey: string,
  { chain, sequence }: Pick<AuditEntry, 'chain' | 'sequence'>,
): RowKey => ({
  partitionKey,
  rowKey: `audit:${chain}:${positionText(sequence)}`,
});

/** Plain, because the hash of an entry authenticates it under the audit ring. */
export const auditRow = (partitionKey: string, entry: AuditEntry): Row =>
  plainRowOf(auditKey(partitionKey, entry), entry);

/** Writes a row that holds the head of a chain, together with new entries. @throws LostRace | DamagedRow */
export const saveWithEntries = (
  table: Table,
  row: Row,
  etag: string | undefined,
  entries: readonly Row[],
): Promise<string> => overForeignRows(table, { ...row, etag }, entries, () => table.batch(row, etag, entries));

/**
 * Writes new entries of a chain under the ETag of the row with its head. A foreign row in the place of an entry would
 * stop every such write: it is reported and removed. @throws LostRace @throws DamagedRow when genuine entries are
 * there, because the head is then an older one that was put back
 */
export async function overForeignRows<T>(
  table: Table,
  head: RowKey & { readonly etag: string | undefined },
  entries: readonly Row[],
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    // Another writer was faster.
    if (!(error instanceof LostRace) || (await table.readEtag(head)) !== head.etag) throw error;
    await freePlaces(table, head, entries);
    return write();
  }
}

/** @throws DamagedRow */
async function freePlaces(table: Table, head: RowKey, entries: readonly Row[]): Promise<void> {
  const audit = await table.auditKeks();
  for (const entry of entries) {
    const there = await table.readPlain(entry);
    if (there === undefined) continue;
    const value = there.value as AuditEntry;
    const isOurs =
      isGenuine(value, (generation) => audit.kek(generation)) &&
      auditKey(entry.partitionKey, value).rowKey === entry.rowKey;
    if (isOurs) throw table.report(head);
    table.report(entry);
    await table.remove(entry, there.etag);
  }
}

/**
 * A page of the chain, at most `limit` rows. The range includes every key that begins with a digit, also one that is
 * not Keyward's, and every continuation token.
 */
export async function auditPage(
  table: Table,
  partitionKey: string,
  chain: string,
  { limit, after }: ChainPageRequest,
): Promise<ChainPage> {
  const prefix = `audit:${chain}:`;
  // `:` is the character after the digits.
  const [from, to] = [`${prefix}${after ?? '0'}`, `${prefix}:`];
  const range = odata`PartitionKey eq ${partitionKey} and RowKey gt ${from} and RowKey lt ${to}`;
  const found = await table.queryPlain(range, limit);
  const rows = found.map(({ rowKey, value }) => ({ position: positionIn(rowKey.slice(prefix.length)), entry: value }));
  const last = found.at(-1);
  return found.length < limit || last === undefined ? { rows } : { rows, next: last.rowKey.slice(prefix.length) };
}

/** 0 when the text is not a sequence number. */
const positionIn = (text: string): number => (/^\d{10}$/.test(text) ? Number(text) : 0);
