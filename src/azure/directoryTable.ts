/** The directory: which accounts exist, by name and by the path of a subscription. */

import type { Directory, DirectoryRow } from '../core/accounts/ports.ts';
import type { ArmPath } from '../core/base/armPath.ts';
import { fold } from '../core/base/names.ts';
import { type OpenTable, odata, type ReadRow, rowOf } from './tables.ts';

const subscriptions = 'subscription:';

export function createDirectory(open: OpenTable): Directory {
  const table = open('directory');
  const key = (name: string, place?: ArmPath) =>
    place === undefined
      ? { partitionKey: 'accounts', rowKey: fold(name) }
      : { partitionKey: subscription(place), rowKey: `${fold(place.resourceGroup)}:${fold(name)}` };
  const subscription = ({ subscriptionId }: Pick<ArmPath, 'subscriptionId'>) =>
    `${subscriptions}${fold(subscriptionId)}`;

  return {
    put: (name, place) => table.put(rowOf(key(name, place), {})),
    find: (name, place) => table.readKey(key(name, place)),
    async remove(name, etag, place) {
      await table.remove(key(name, place), etag);
    },
    async page(limit, after = '') {
      const filter = odata`PartitionKey eq 'accounts' and RowKey gt ${fold(after)}`;
      const names = (await table.queryKeys(filter, limit)).map((row) => row.rowKey);
      const next = names.at(-1);
      return names.length < limit || next === undefined ? { names } : { names, next };
    },
    async pageOf(list, limit, after) {
      // `;` is the character after `:`.
      const [from, to] = list.resourceGroup === undefined ? ['', undefined] : groupRange(list.resourceGroup);
      const range = odata`PartitionKey eq ${subscription(list)} and RowKey gt ${after ?? from}`;
      const filter = to === undefined ? range : `${range} and ${odata`RowKey lt ${to}`}`;
      const rows = await table.queryKeys(filter, limit);
      const names = rows.map(({ rowKey }) => rowKey.slice(rowKey.indexOf(':') + 1));
      const next = rows.at(-1)?.rowKey;
      return rows.length < limit || next === undefined ? { names } : { names, next };
    },

    async rows(limit, after) {
      // A line break is in no key.
      const [partition = '', row = ''] = after?.split('\n') ?? [];
      const rest = odata`PartitionKey gt ${partition}`;
      const filter =
        after === undefined ? rest : `(${odata`PartitionKey eq ${partition} and RowKey gt ${row}`}) or ${rest}`;
      const found = await table.queryKeys(filter, limit);
      const last = found.at(-1);
      const rows = found.flatMap((one) => directoryRowIn(one) ?? []);
      if (found.length < limit || last === undefined) return { rows };
      return { rows, next: `${last.partitionKey}\n${last.rowKey}` };
    },
  };
}

/** Undefined: the row is not Keyward's. */
function directoryRowIn({ partitionKey, rowKey, ...read }: ReadRow<undefined>): DirectoryRow | undefined {
  if (partitionKey === 'accounts') return { ...read, name: rowKey };
  const end = rowKey.indexOf(':');
  if (!partitionKey.startsWith(subscriptions) || end < 0) return undefined;
  const place = { subscriptionId: partitionKey.slice(subscriptions.length), resourceGroup: rowKey.slice(0, end) };
  return { ...read, name: rowKey.slice(end + 1), place };
}

const groupRange = (group: string) => [`${fold(group)}:`, `${fold(group)};`] as const;
