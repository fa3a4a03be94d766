/** Resources of another contract: in their account's partition, one row each, `resource:<type>:<folded name>`, a part below its whole. */
import type { ResourceList, ResourceStore } from '../core/ports.ts';
import type { ResourceRef, ResourceRow } from '../core/resources/resource.ts';
import { recordKey } from './accountTable.ts';
import { keyOnly, type OpenTable, odata, type RowKey, rowOf } from './tables.ts';

/** Azure Table Storage: 100 operations in an entity-group transaction. */
const batchLimit = 100;

/** Names can hold `#`, which row keys cannot, and cannot hold `%`. */
const encode = (name: string): string => name.replaceAll('#', '%23');
const decode = (name: string): string => name.replaceAll('%23', '#');

/** Without its last character: it is what a list's keys begin with. */
const listOf = ({ type, under }: ResourceList): string =>
  under === undefined ? `resource:${type}` : `resource:${type}:${encode(under)}`;

const keyOf = (ref: ResourceRef): RowKey => ({
  partitionKey: ref.account,
  rowKey: `${listOf(ref)}:${encode(ref.name)}`,
});

export function createResourceStore(open: OpenTable): ResourceStore {
  const table = open('accounts');

  /** `;` is the character behind `:`: the range holds every resource of the list, and nothing else. */
  const query = (account: string, [from, to]: readonly [string, string], limit: number) =>
    table.query<ResourceRow>(odata`PartitionKey eq ${account} and RowKey gt ${from} and RowKey lt ${to}`, limit);

  return {
    async read(ref) {
      const row = await table.read<ResourceRow>(keyOf(ref));
      return row === undefined ? undefined : { ...row, ref };
    },

    async page(list, limit, after) {
      const from = after === undefined ? `${listOf(list)}:` : keyOf({ ...list, name: after }).rowKey;
      const rows = await query(list.account, [from, `${listOf(list)};`], limit);
      const nameIn = (rowKey: string) => decode(rowKey.slice(listOf(list).length + 1));
      return rows.map(({ value, etag, rowKey }) => ({ value, etag, ref: { ...list, name: nameIn(rowKey) } }));
    },

    insert: (ref, row) => table.insert(rowOf(keyOf(ref), row)),
    replace: (ref, row, etag) => table.replaceIfUnchanged(rowOf(keyOf(ref), row), etag),
    remove: (ref, etag) => table.remove(keyOf(ref), etag),

    async clear(account, recordEtag) {
      for (let etag = recordEtag; ; ) {
        const range = odata`PartitionKey eq ${account} and RowKey gt ${'resource:'} and RowKey lt ${'resource;'}`;
        const rows = await table.query(range, batchLimit - 1, keyOnly);
        if (rows.length === 0) return etag;
        etag = await table.removeTogether(rows, recordKey(account), etag);
      }
    },
  };
}
