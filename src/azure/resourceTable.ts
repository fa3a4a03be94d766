/**
 * Resources of Media Services clients: one row each in their account's partition,
 * `resource:<type>:[<parent>:]<folded name>`.
 */

import type { ResourceList, ResourceStore, StoredResource } from '../core/ams/ports.ts';
import type { ResourceRef, ResourceRow } from '../core/ams/resource.ts';
import { isGuid } from '../core/base/names.ts';
import type { Stored } from '../core/base/stored.ts';
import type { SecretKind } from '../core/base/vocabulary.ts';
import { secretNamePattern } from '../core/secrets/readSecret.ts';
import { recordKey } from './accountTable.ts';
import { keyOnly, type OpenTable, odata, type RowKey, rowOf, valueIfAny } from './tables.ts';

/** Azure Table Storage: 100 operations in an entity-group transaction. */
const batchLimit = 100;

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

const isObject = (value: unknown): value is Record<string | number, unknown> =>
  typeof value === 'object' && value !== null;

const isTime = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) <= 8.64e15;

/** Whether the path of the secret exists in the properties, so that its value can be inserted there. */
function isNamedSecret(secret: unknown, properties: unknown): boolean {
  if (!isObject(secret) || !secretKinds.has(String(secret.kind)) || typeof secret.name !== 'string') return false;
  const { kind, name, at } = secret;
  if (!(kind === 'contentKeys' ? isGuid(name) : secretNamePattern.test(name)) || !Array.isArray(at) || at.length === 0)
    return false;
  let place: unknown = properties;
  for (const step of at.slice(0, -1)) place = isObject(place) && Object.hasOwn(place, step) ? place[step] : undefined;
  return isObject(place);
}

const secretKinds: ReadonlySet<string> = new Set<SecretKind>(['contentKeys', 'jobInputs', 'tokenKeys']);

/** A writer of the table can put any data into a row. A row without the form of a resource must not stop the others. */
function isResource(value: unknown): value is ResourceRow {
  if (!isObject(value)) return false;
  const { name, instanceId, properties, secrets, createdAt, updatedAt } = value;
  return (
    [name, instanceId].every((text) => typeof text === 'string') &&
    [createdAt, updatedAt].every(isTime) &&
    isObject(properties) &&
    Array.isArray(secrets) &&
    secrets.every((secret) => isNamedSecret(secret, properties))
  );
}

function storedOf(ref: ResourceRef, { value, etag }: Stored<unknown>): StoredResource {
  if (isResource(value)) return { ref, value, etag };
  const placeholder = { name: ref.name, instanceId: '', properties: {}, secrets: [], createdAt: 0, updatedAt: 0 };
  return { ref, value: placeholder, etag, isDamaged: true };
}

export function createResourceStore(open: OpenTable): ResourceStore {
  const table = open('accounts');

  /** `;` is the character after `:`: the range holds every resource of the list, and no other row. */
  const query = (account: string, [from, to]: readonly [string, string], limit: number) =>
    table.query(odata`PartitionKey eq ${account} and RowKey gt ${from} and RowKey lt ${to}`, limit, valueIfAny);

  return {
    async read(ref) {
      const row = await table.read(keyOf(ref), valueIfAny);
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
