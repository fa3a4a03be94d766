/**
 * The names of accounts, in the order of LIST. Each name is a partition of its own: the Table service divides a table
 * by ranges of partition keys, so several servers share the load, and one query over a range still returns names in
 * order.
 */
import type { Directory, DirectoryRow, DirectoryRows } from '../core/accounts/ports.ts';
import type { ArmPath } from '../core/base/armPath.ts';
import { fold } from '../core/base/names.ts';
import { type RowKey, rowOf } from './rowForm.ts';
import type { ReadRow } from './rowReads.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

const accounts = 'account:';
const subscriptions = 'subscription:';
const rowKey = 'name';

/** The character after `:`, so that a range ends after every key that begins with the prefix. */
const endOf = (prefix: string): string => `${prefix.slice(0, -1)};`;

const subscriptionOf = ({ subscriptionId }: Pick<ArmPath, 'subscriptionId'>) =>
  `${subscriptions}${fold(subscriptionId)}:`;

const keyOf = (name: string, place?: ArmPath): RowKey => {
  const prefix = place === undefined ? accounts : `${subscriptionOf(place)}${fold(place.resourceGroup)}:`;
  return { partitionKey: `${prefix}${fold(name)}`, rowKey };
};

/** The row of a name until version 0.1: all accounts, and those of each subscription, were one partition. */
const formerKeyOf = (name: string, place?: ArmPath): RowKey =>
  place === undefined
    ? { partitionKey: 'accounts', rowKey: fold(name) }
    : { partitionKey: subscriptionOf(place).slice(0, -1), rowKey: `${fold(place.resourceGroup)}:${fold(name)}` };

export function createDirectory(open: OpenTable): Directory & DirectoryRows {
  const table = open('directory');

  async function page(prefix: string, limit: number, after: string, end = endOf(prefix)) {
    const range = odata`PartitionKey gt ${prefix + after} and PartitionKey lt ${end} and RowKey eq ${rowKey}`;
    const rows = await table.queryKeys(range, limit);
    const keys = rows.map(({ partitionKey }) => partitionKey.slice(prefix.length));
    const next = rows.length < limit ? undefined : keys.at(-1);
    return next === undefined ? { keys, rows } : { keys, rows, next };
  }

  return {
    put: (name, place) => table.put(rowOf(keyOf(name, place), {})),
    find: (name, place) => table.readKey(keyOf(name, place)),
    async remove(name, etag, place) {
      await table.remove(keyOf(name, place), etag);
    },
    removeFormer: (name, place) => table.remove(formerKeyOf(name, place)),

    async page(limit, after = '') {
      const { keys: names, rows: _, ...more } = await page(accounts, limit, fold(after));
      return { names, ...more };
    },

    async pageOf(list, limit, after) {
      const prefix = subscriptionOf(list);
      const group = list.resourceGroup === undefined ? '' : `${fold(list.resourceGroup)}:`;
      const end = endOf(prefix + group);
      const { keys, rows: _, ...more } = await page(prefix, limit, after ?? group, end);
      return { names: keys.map((key) => key.slice(key.indexOf(':') + 1)), ...more };
    },

    async rows(limit, after = accounts) {
      const prefix = after.startsWith(subscriptions) ? subscriptions : accounts;
      const { rows: found, next } = await page(prefix, limit, after.slice(prefix.length));
      const rows = found.flatMap((row) => directoryRowIn(row) ?? []);
      if (next !== undefined) return { rows, next: prefix + next };
      return prefix === accounts ? { rows, next: subscriptions } : { rows };
    },
  };
}

/** Undefined: the row is not Keyward's. */
function directoryRowIn({ partitionKey, ...read }: ReadRow<undefined>): DirectoryRow | undefined {
  if (partitionKey.startsWith(accounts)) return { ...read, name: partitionKey.slice(accounts.length) };
  const [subscriptionId, resourceGroup, name] = partitionKey.slice(subscriptions.length).split(':');
  if (subscriptionId === undefined || resourceGroup === undefined || name === undefined) return undefined;
  return { ...read, name, place: { subscriptionId, resourceGroup } };
}
