/** Protected secrets: in their account's partition, one row each, `secret:<kind>:<folded name>`. */
import type { SecretKind, SecretRef, SecretRow, SecretStore } from '../core/ports.ts';
import { type OpenTable, odata, type RowKey, rowOf } from './tables.ts';

/** Azure Table Storage: 100 operations in an entity-group transaction. */
const batchLimit = 100;

const keyOf = ({ account, kind, name }: SecretRef): RowKey => ({
  partitionKey: account,
  rowKey: `secret:${kind}:${name}`,
});

function refOf({ partitionKey: account, rowKey }: RowKey): SecretRef {
  const [, kind = '', ...name] = rowKey.split(':');
  return { account, kind: kind as SecretKind, name: name.join(':') };
}

export function createSecretStore(open: OpenTable): SecretStore {
  const table = open('accounts');

  /** `;` is the character behind `:`: the range holds every secret, of the kind, and nothing else. */
  const query = (account: string, kind: SecretKind | undefined, limit: number, after?: string) => {
    const [from, to] = kind === undefined ? ['secret:', 'secret;'] : [`secret:${kind}:`, `secret:${kind};`];
    const range = odata`PartitionKey eq ${account} and RowKey gt ${after ?? from} and RowKey lt ${to}`;
    return table.query<SecretRow>(range, limit);
  };

  return {
    async read(ref) {
      const row = await table.read<SecretRow>(keyOf(ref));
      return row === undefined ? undefined : { ...row, ref };
    },

    async page(account, { kind, limit, after }) {
      const from = after === undefined || kind === undefined ? after : keyOf({ account, kind, name: after }).rowKey;
      const found = await query(account, kind, limit, from);
      const rows = found.map(({ value, etag, ...key }) => ({ value, etag, ref: refOf(key) }));
      const last = found.at(-1);
      if (found.length < limit || last === undefined) return { rows };
      return { rows, next: kind === undefined ? last.rowKey : refOf(last).name };
    },

    insert: (ref, row) => table.insert(rowOf(keyOf(ref), row)),
    replace: (ref, row, etag) => table.replaceIfUnchanged(rowOf(keyOf(ref), row), etag),
    remove: (ref, etag) => table.remove(keyOf(ref), etag),

    async clear(account) {
      for (;;) {
        const rows = await query(account, undefined, batchLimit);
        if (rows.length === 0) return;
        await table.removeTogether(rows);
      }
    },
  };
}
