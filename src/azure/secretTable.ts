/** Protected secrets: in their account's partition, one row each, `secret:<kind>:<folded name>`. */

import type { SecretRows } from '../core/accounts/ports.ts';
import type { SecretRef, SecretRow } from '../core/accounts/secretRow.ts';
import type { SecretKind } from '../core/base/vocabulary.ts';
import type { SecretStore } from '../core/secrets/ports.ts';
import { secretKey as keyOf, recordKey } from './accountTable.ts';
import { type RowKey, rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

function refOf({ partitionKey: account, rowKey }: RowKey): SecretRef {
  const [, kind = '', ...name] = rowKey.split(':');
  return { account, kind: kind as SecretKind, name: name.join(':') };
}

/**
 * A damaged row is returned as a secret that does not decrypt. So a caller can write or delete it, and it does not stop
 * the others.
 */
const secretIn = (value: SecretRow | undefined, { name }: SecretRef): SecretRow =>
  value ?? { name, sealed: '', version: '', createdAt: 0, updatedAt: 0 };

export function createSecretStore(open: OpenTable): SecretStore & SecretRows {
  const table = open('accounts');

  /** `;` is the character after `:`: the range holds every secret of the kind, or of all kinds, and no other row. */
  const rangeOf = (account: string, kind: SecretKind | undefined, after?: string) => {
    const [from, to] = kind === undefined ? ['secret:', 'secret;'] : [`secret:${kind}:`, `secret:${kind};`];
    return odata`PartitionKey eq ${account} and RowKey gt ${after ?? from} and RowKey lt ${to}`;
  };

  return {
    async read(ref) {
      const row = await table.readIfAuthentic<SecretRow>(keyOf(ref));
      return row === undefined ? undefined : { ref, value: secretIn(row.value, ref), etag: row.etag };
    },

    async page(account, { kind, limit, after }) {
      const from = after === undefined || kind === undefined ? after : keyOf({ account, kind, name: after }).rowKey;
      const found = await table.query<SecretRow>(rangeOf(account, kind, from), limit);
      const rows = found.map(({ value, etag, ...key }) => {
        const ref = refOf(key);
        return { ref, value: secretIn(value, ref), etag };
      });
      const last = found.at(-1);
      if (found.length < limit || last === undefined) return { rows };
      return { rows, next: kind === undefined ? last.rowKey : refOf(last).name };
    },

    replace: (ref, row, etag) => table.replaceIfUnchanged(rowOf(keyOf(ref), row), etag),
    remove: (ref, etag) => table.remove(keyOf(ref), etag),

    clear: (account, recordEtag) => table.clearBeside(rangeOf(account, undefined), recordKey(account), recordEtag),
  };
}
