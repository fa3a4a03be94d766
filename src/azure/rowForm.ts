/**
 * The form of a row. Its value is canonical JSON in `data`, and `v` is the version of the form:
 *
 *   1  plain: nothing but the value. For what authenticates its own content: audit entries, links of rings
 *   2  authentic: `mac` is an HMAC over place, data and columns, `generation` the at-rest KEK that it is under (INV-13)
 *   3  like 2, under the KEK that the row itself wraps: for the wrappings of the rings
 *
 * A reader accepts one of the three, so an authentic row cannot be replaced by a plain one. JSON that is longer than a
 * property continues in `data2`, `data3` and so on.
 */
import type { TableEntity } from '@azure/data-tables';
import type { RowAddress } from '../core/base/damagedRow.ts';
import type { EpochMs } from '../core/base/time.ts';
import { type Kek, KeyMaterialMismatch } from '../core/crypto/accountKeyEnvelope.ts';
import type { Keks } from '../core/crypto/keks.ts';
import { canonicalText, isRowMac, type RowContent, rowMac } from '../core/crypto/rowMac.ts';

const plainVersion = 1;
const authenticVersion = 2;
const ownKeyVersion = 3;

export interface RowKey {
  readonly partitionKey: string;
  readonly rowKey: string;
}

export interface Row extends RowKey, RowContent {
  readonly isPlain?: true;
}

/** `columns`: what the service filters by. They are authenticated too. */
export const rowOf = ({ partitionKey, rowKey }: RowKey, value: unknown, columns: RowContent['columns'] = {}): Row => ({
  partitionKey,
  rowKey,
  columns,
  data: canonicalText(value),
});

export const plainRowOf = ({ partitionKey, rowKey }: RowKey, value: unknown): Row => ({
  partitionKey,
  rowKey,
  columns: {},
  isPlain: true,
  data: JSON.stringify(value),
});

/** Properties as the table has them; no one of them is sure to be what Keyward wrote. */
export type Entity = Readonly<Record<string, unknown>>;

export const etagOf = ({ etag }: Entity): string => String(etag);

export const keyOf = ({ partitionKey, rowKey }: Entity): RowKey => ({
  partitionKey: String(partitionKey ?? ''),
  rowKey: String(rowKey ?? ''),
});

/** By the clock of the Table service. */
export const writtenAtOf = ({ timestamp }: Entity): EpochMs => Date.parse(String(timestamp));

export function entityOf(table: string, row: Row, keks: Keks): TableEntity {
  const { partitionKey, rowKey, data, columns } = row;
  const kek = keks.newest;
  const mac = rowMac({ table, partitionKey, rowKey }, row, kek);
  return { partitionKey, rowKey, v: authenticVersion, ...partsOf(data), ...columns, generation: kek.generation, mac };
}

/** Under a KEK of its own instead of the at-rest ring. */
export function ownKeyEntityOf(table: string, row: Row, kek: Kek): TableEntity {
  const { partitionKey, rowKey, data } = row;
  const mac = rowMac({ table, partitionKey, rowKey }, row, kek);
  return { partitionKey, rowKey, v: ownKeyVersion, ...partsOf(data), mac };
}

/** The value in a row that is under a KEK of its own, unverified: the KEK is not known yet. */
export const ownKeyValue = (entity: Entity): unknown => (entity.v === ownKeyVersion ? jsonIn(entity) : undefined);

export const isUnderOwnKey = (address: RowAddress, entity: Entity, kek: Kek): boolean => isMacOf(address, entity, kek);

export const plainEntityOf = ({ partitionKey, rowKey, data }: Row): TableEntity => ({
  partitionKey,
  rowKey,
  v: plainVersion,
  ...partsOf(data),
});

/** Table service data model: a string property holds 32,768 UTF-16 units. */
const partLength = 32_000;
const partName = (index: number) => (index === 0 ? 'data' : `data${index + 1}`);

function partsOf(data: string): { data: string } & Record<string, string> {
  const parts: Record<string, string> = {};
  for (let [from, index] = [0, 0]; index === 0 || from < data.length; index++) {
    const end = from + partLength;
    // A part ends between characters: half of a surrogate pair has no form in UTF-8.
    const isSplit = end < data.length && /[\ud800-\udbff]/.test(data.charAt(end - 1));
    const part = data.slice(from, isSplit ? end - 1 : end);
    parts[partName(index)] = part;
    from += part.length;
  }
  return parts as { data: string } & Record<string, string>;
}

/** Undefined: there is no data, or a part is no text. */
function dataOf(entity: Entity): string | undefined {
  const parts: unknown[] = [];
  while (entity[partName(parts.length)] !== undefined) parts.push(entity[partName(parts.length)]);
  return parts.length > 0 && parts.every((part) => typeof part === 'string') ? parts.join('') : undefined;
}

/** The row is not as Keyward wrote it. */
export const damaged = Symbol('damaged');

/** @throws Unavailable when the KEK of the row cannot be had now */
export function authenticValue<T>(address: RowAddress, entity: Entity, keks: Pick<Keks, 'kek'>): T | typeof damaged {
  const { v, generation } = entity;
  if (v !== authenticVersion || typeof generation !== 'number') return damaged;
  try {
    return isMacOf(address, entity, keks.kek(generation)) ? (jsonIn(entity) as T) : damaged;
  } catch (error) {
    if (!(error instanceof KeyMaterialMismatch)) throw error;
    // There is no such generation.
    return damaged;
  }
}

function isMacOf(address: RowAddress, entity: Entity, kek: Kek): boolean {
  const data = dataOf(entity);
  if (data === undefined || typeof entity.mac !== 'string') return false;
  try {
    return isRowMac(entity.mac, address, { data, columns: columnsOf(entity) }, kek);
  } catch {
    // A column that has no canonical form.
    return false;
  }
}

/** An authentic row again, to be written under another KEK. */
export const contentOf = (entity: Entity): Row => ({
  partitionKey: String(entity.partitionKey),
  rowKey: String(entity.rowKey),
  data: dataOf(entity) ?? '',
  columns: columnsOf(entity),
});

/** For rows that authenticate their own content. Undefined: the row holds no value of Keyward. */
export const plainValue = (entity: Entity): unknown => (entity.v === plainVersion ? jsonIn(entity) : undefined);

function jsonIn(entity: Entity): unknown {
  const data = dataOf(entity);
  if (data === undefined) return undefined;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

const notColumns: ReadonlySet<string> = new Set([
  'partitionKey',
  'rowKey',
  'timestamp',
  'etag',
  'v',
  'generation',
  'mac',
]);

/** Every property that is left, so that an added one is an edit too. The SDK adds some with `odata` in their names. */
function columnsOf(entity: Entity): RowContent['columns'] {
  const parts = new Set<string>();
  while (entity[partName(parts.size)] !== undefined) parts.add(partName(parts.size));
  const isColumn = (name: string) => !notColumns.has(name) && !parts.has(name) && !name.includes('odata');
  return Object.fromEntries(Object.entries(entity).filter(([name]) => isColumn(name)));
}
