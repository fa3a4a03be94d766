/**
 * Resources of Media Services clients: one row each in their account's partition,
 * `resource:<type>:[<parent>:]<folded name>`.
 */

import type { ResourceRows } from '../core/accounts/ports.ts';
import type { ResourceList, ResourceStore, StoredResource } from '../core/ams/ports.ts';
import type { ResourceRef, ResourceRow } from '../core/ams/resource.ts';
import type { Stored } from '../core/base/stored.ts';
import { recordKey } from './accountTable.ts';
import { type RowKey, rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

/** Azure Table Storage: 100 operations in an entity-group transaction. */

/** Names can hold `#`, which row keys cannot, and cannot hold `%`. */
const encode = (name: string): string => name.replaceAll('#', '%23');
const decode = (name: string): string => name.replaceAll('%23', '#');

/** The beginning of the keys of a list, without the last character. */
const listOf = ({ type, under }: ResourceList): string =>
  under === undefined ? `resource:${type}` : `resource:${type}:${encode(under)}`;

const keyOf = (ref: ResourceRef): RowKey => ({
  partitionKey: ref.account,
  rowKey: `${listOf(ref)}:${encode(ref.name)}`,
});

function storedOf(ref: ResourceRef, { value, etag }: Stored<ResourceRow | undefined>): StoredResource {
  if (value !== undefined) return { ref, value, etag };
  const substitute = { name: ref.name, instanceId: '', properties: {}, secrets: [], createdAt: 0, updatedAt: 0 };
  return { ref, value: substitute, etag, isDamaged: true };
}

export function createResourceStore(open: OpenTable): ResourceStore & ResourceRows {
  const table = open('accounts');

  /** `;` is the character after `:`: the range holds every resource of the list, and no other row. */
  const query = (account: string, [from, to]: readonly [string, string], limit: number) =>
    table.query<ResourceRow>(odata`PartitionKey eq ${account} and RowKey gt ${from} and RowKey lt ${to}`, limit);

  return {
    async read(ref) {
      const row = await table.readIfAuthentic<ResourceRow>(keyOf(ref));
      return row === undefined ? undefined : storedOf(ref, row);
    },

    async page(list, limit, after) {
      const from = after === undefined ? `${listOf(list)}:` : keyOf({ ...list, name: after }).rowKey;
      const rows = await query(list.account, [from, `${listOf(list)};`], limit);
      const nameIn = (rowKey: string) => decode(rowKey.slice(listOf(list).length + 1));
      return rows.map((row) => storedOf({ ...list, name: nameIn(row.rowKey) }, row));
    },

    insert: (ref, row) => table.insert(rowOf(keyOf(ref), row)),
    replace: (ref, row, etag) => table.replaceIfUnchanged(rowOf(keyOf(ref), row), etag),
    remove: (ref, etag) => table.remove(keyOf(ref), etag),

    clear(account, recordEtag) {
      const range = odata`PartitionKey eq ${account} and RowKey gt ${'resource:'} and RowKey lt ${'resource;'}`;
      return table.clearBeside(range, recordKey(account), recordEtag);
    },
  };
}
