/** Accounts: one partition for each account, with its record, its audit entries and, after a delete, its tombstone. */
import type { AccountRecord } from '../core/accounts/account.ts';
import type { AccountReader, AccountRemover, AccountWriter } from '../core/accounts/ports.ts';
import type { SecretRef, SecretRow } from '../core/accounts/secretRow.ts';
import type { AuditEntry } from '../core/audit/auditEntry.ts';
import type { AccountChains, ChainedState, Tombstone } from '../core/audit/ports.ts';
import { LostRace } from '../core/base/errors.ts';
import { fold } from '../core/base/names.ts';
import { auditPage, auditRow, overForeignRows, saveWithEntries } from './auditRows.ts';
import { type RowKey, rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

export const secretKey = ({ account, kind, name }: SecretRef): RowKey => ({
  partitionKey: account,
  rowKey: `secret:${kind}:${name}`,
});

export const recordKey = (name: string): RowKey => ({ partitionKey: fold(name), rowKey: 'record' });

export const tombstoneKey = (name: string, instanceId: string): RowKey => ({
  partitionKey: fold(name),
  rowKey: `tombstone:${instanceId}`,
});

export function createAccountStore(
  open: OpenTable,
): AccountReader & AccountWriter & AccountRemover & AccountChains & ChainedState {
  const table = open('accounts');
  const auditRows = (name: string, entries: readonly AuditEntry[]) =>
    entries.map((entry) => auditRow(fold(name), entry));

  return {
    read: (name) => table.read<AccountRecord>(recordKey(name)),

    async damagedEtag(name) {
      const row = await table.readIfAuthentic(recordKey(name));
      return row?.value === undefined ? row?.etag : undefined;
    },

    removeRecord: (name, etag) => table.remove(recordKey(name), etag),

    create: (record, entries) =>
      saveWithEntries(table, rowOf(recordKey(record.name), record), undefined, auditRows(record.name, entries)),

    save: ({ value, etag }, entries) =>
      saveWithEntries(table, rowOf(recordKey(value.name), value), etag, auditRows(value.name, entries)),

    async saveWithSecret({ value, etag }, entries, { ref, row, etag: secretEtag }) {
      const secret = secretKey(ref);
      const added = auditRows(value.name, entries);
      const written = await overForeignRows(table, { ...recordKey(value.name), etag }, added, () =>
        table.transact([
          row === undefined ? { remove: secret } : { put: rowOf(secret, row), etag: secretEtag },
          { put: rowOf(recordKey(value.name), value), etag },
          ...added.map((put) => ({ put, etag: undefined })),
        ]),
      );
      // What was stored then is known only to the tables: read again.
      if (row !== undefined && written === '') throw new LostRace('The tables named no ETag of the secret.');
      return written;
    },

    async secretVersions(name, { limit, after = 'secret:' }) {
      const range = odata`PartitionKey eq ${fold(name)} and RowKey gt ${after} and RowKey lt 'secret;'`;
      const rows = await table.query<SecretRow>(range, limit);
      const versions = rows.map(({ rowKey, value }) => {
        const [, kind = '', ...parts] = rowKey.split(':');
        return [`${kind}/${parts.join(':')}`, value?.version] as const;
      });
      const next = rows.length < limit ? undefined : rows.at(-1)?.rowKey;
      return next === undefined ? { versions } : { versions, next };
    },

    async replaceWithTombstone({ value: record, etag }) {
      const { name, instanceId, owner, audit } = record;
      const tombstone: Tombstone = { name, instanceId, owner, audit, deletedAt: record.updatedAt };
      // Under the ETag that the head was read with: a delayed writer replaces no newer head in the tombstone.
      const next = await table.putTogether(rowOf(tombstoneKey(name, instanceId), tombstone), recordKey(name), etag);
      if (!(await table.remove(recordKey(name), next)) && (await table.readEtag(recordKey(name))) !== undefined)
        throw new LostRace('The record changed while its account was being deleted.');
    },

    async chains(name) {
      const ids: string[] = [];
      // One row of each chain: `;` is the character after the `:` that ends the id.
      for (let from = 'audit:'; ; ) {
        const range = odata`PartitionKey eq ${fold(name)} and RowKey gt ${from} and RowKey lt 'audit;'`;
        const [row] = await table.queryKeys(range, 1);
        if (row === undefined) return ids;
        const id = row.rowKey.split(':')[1] ?? '';
        ids.push(id);
        from = `audit:${id};`;
      }
    },

    audit: (name, instanceId, page) => auditPage(table, fold(name), instanceId, page),

    readRaw: (name) => table.readIfAuthentic(recordKey(name)),

    tombstone: (name, instanceId) => table.readIfAuthentic(tombstoneKey(name, instanceId)),

    async tombstones(name, { limit, after = '' }) {
      const [from, to] = [tombstoneKey(name, after).rowKey, 'tombstone;'];
      const range = odata`PartitionKey eq ${fold(name)} and RowKey gt ${from} and RowKey lt ${to}`;
      const tombstones = await table.query<Tombstone>(range, limit);
      const next = tombstones.length < limit ? undefined : tombstones.at(-1)?.rowKey.slice('tombstone:'.length);
      return next === undefined ? { tombstones } : { tombstones, next };
    },

    async lastDeletedAt(name) {
      const range = odata`PartitionKey eq ${fold(name)} and RowKey gt 'tombstone:' and RowKey lt 'tombstone;'`;
      const rows = await table.query<Tombstone>(range, Number.POSITIVE_INFINITY);
      // An erasure writes a tombstone again, long after the deletion.
      const written = rows.flatMap(({ value, writtenAt }) => (value?.erasure === undefined ? [writtenAt] : []));
      return written.length === 0 ? undefined : Math.max(...written);
    },

    async names(limit, after = '') {
      const filter = odata`PartitionKey gt ${after} and RowKey eq 'record'`;
      return (await table.queryKeys(filter, limit)).map((row) => row.partitionKey);
    },
  };
}
