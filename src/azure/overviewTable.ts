/**
 * The overview index and the time index. In the partition of an owner `<binding>` is the row of a key and `<binding>:<name>` that of an
 * account, so that an account follows its key; `-` is the system key's and sorts before every binding. `!` sorts before both, and before
 * every character of an owner.
 */
import type { AuditEntry } from '../core/audit/auditEntry.ts';
import { positionText } from '../core/audit/auditEntry.ts';
import { iso } from '../core/base/time.ts';
import type { Counts } from '../core/overview/counts.ts';
import type { IndexedAccount, IndexedKey, IndexPosition, IndexRow, MarkedKey } from '../core/overview/indexRows.ts';
import type { IndexPage, OverviewIndex, TimelineEntry, TimelineIndex, TimelineOrder } from '../core/overview/ports.ts';
import { type OpenTable, odata, type ReadRow, type Row, type RowKey, rowOf } from './tables.ts';

const systemKey = '-';
const ofOwnerText = (owner: string) => `owner:${owner}`;
const accountKey = ({ owner, key, name }: IndexedAccount): RowKey => ({
  partitionKey: ofOwnerText(owner),
  rowKey: `${key?.bindingId ?? systemKey}:${name}`,
});
const keyKey = (owner: string, bindingId: string): RowKey => ({ partitionKey: ofOwnerText(owner), rowKey: bindingId });
const nameKey = (name: string): RowKey => ({ partitionKey: 'names', rowKey: name });
const countsRow = '!';
const countsKey = (owner?: string): RowKey => ({
  partitionKey: owner === undefined ? 'counts' : ofOwnerText(owner),
  rowKey: countsRow,
});
const markKey = (owner: string, bindingId: string): RowKey => ({
  partitionKey: 'marks',
  rowKey: `${owner}!${bindingId}`,
});

/** The rows of the owner behind the position. */
function behind({ owner, bindingId, name }: IndexPosition): string {
  const text = name === undefined ? (bindingId ?? countsRow) : `${bindingId ?? systemKey}:${name}`;
  return odata`PartitionKey eq ${ofOwnerText(owner)} and RowKey gt ${text}`;
}

function rowIn({ rowKey, value }: ReadRow<unknown>): IndexRow[] {
  if (value === undefined || rowKey === countsRow) return [];
  return rowKey.includes(':')
    ? [{ kind: 'account', account: value as IndexedAccount }]
    : [{ kind: 'key', key: value as IndexedKey }];
}

export const accountRow = (account: IndexedAccount): Row => rowOf(accountKey(account), account);
export const keyRow = (key: IndexedKey): Row => rowOf(keyKey(key.owner, key.watch.binding.id), key, { isKey: true });
export const markRow = (marked: MarkedKey): Row =>
  rowOf(markKey(marked.key.owner, marked.key.watch.binding.id), marked);

export function createOverviewIndex(open: OpenTable): OverviewIndex {
  const table = open('overview');
  const page = async (range: string, limit: number, kind: 'keys' | undefined): Promise<IndexPage> => {
    const rows = await table.query(kind === undefined ? range : `${range} and isKey eq true`, limit);
    return { rows: rows.flatMap(rowIn), isLast: rows.length < limit };
  };
  const later = (owner: string | undefined) =>
    owner === undefined
      ? "PartitionKey ge 'owner:' and PartitionKey lt 'owner;'"
      : `${odata`PartitionKey gt ${ofOwnerText(owner)}`} and PartitionKey lt 'owner;'`;

  return {
    locate: async (name) => {
      const row = await table.readIfAuthentic<IndexedAccount>(nameKey(name));
      return row?.value === undefined ? undefined : { value: row.value, etag: row.etag };
    },
    setLocation: (account) => table.put(rowOf(nameKey(account.name), account)),
    async removeLocation({ value, etag }) {
      await table.remove(nameKey(value.name), etag);
    },
    account: async (at) => (await table.readIfAuthentic<IndexedAccount>(accountKey(at)))?.value,
    key: async (owner, bindingId) => (await table.readIfAuthentic<IndexedKey>(keyKey(owner, bindingId)))?.value,
    async counts(owner) {
      const row = await table.readIfAuthentic<Counts>(countsKey(owner));
      return row === undefined ? undefined : { value: row.value ?? {}, etag: row.etag };
    },

    async write(owner, { counts, keys, put, remove }) {
      await table.transact([
        { put: rowOf(countsKey(owner), counts.value), etag: counts.etag },
        ...keys.map(({ bindingId, value }) =>
          value === undefined ? { remove: keyKey(owner, bindingId) } : { put: keyRow(value), etag: '*' },
        ),
        ...(put === undefined ? [] : [{ put: accountRow(put), etag: '*' }]),
        ...(remove === undefined ? [] : [{ remove: accountKey(remove) }]),
      ]);
    },
    writeCounts: async (counts, etag) => void (await table.transact([{ put: rowOf(countsKey(), counts), etag }])),

    ofOwner: (after, limit, kind) => page(behind(after), limit, kind),
    ofLaterOwners: (owner, limit, kind) => page(later(owner), limit, kind),

    async nextOwner(owner) {
      const [row] = await table.queryKeys(later(owner), 1);
      return row?.partitionKey.slice('owner:'.length);
    },

    mark: (marked) => table.put(markRow(marked)),
    async unmark(owner, bindingId) {
      await table.remove(markKey(owner, bindingId));
    },
    async marked(from, owner, limit) {
      const begin =
        from === undefined
          ? `${owner ?? ''}${owner === undefined ? '' : '!'}`
          : `${from.owner}!${from.bindingId ?? ''}`;
      // `"` is the character after `!`.
      const end = owner === undefined ? '~' : `${owner}"`;
      const rows = await table.query<MarkedKey>(
        odata`PartitionKey eq 'marks' and RowKey ge ${begin} and RowKey lt ${end}`,
        limit,
      );
      return { marks: rows.flatMap(({ value }) => value ?? []), isLast: rows.length < limit };
    },
  };
}

const dayOf = (at: string) => at.slice(0, 10);
/** Counts down: later times have lower texts. */
const inverted = (ms: number) => String(9_999_999_999_999 - ms).padStart(13, '0');

/** The row keys of an entry are in the order of the table over all days of one order. */
function timeKey(order: TimelineOrder, { at, chain, sequence }: AuditEntry): RowKey {
  if (order === 'oldest')
    return { partitionKey: `oldest:${dayOf(at)}`, rowKey: `${at}:${chain}:${positionText(sequence)}` };
  const fromNewest = positionText(9_999_999_999 - sequence);
  return {
    partitionKey: `newest:${inverted(Date.parse(dayOf(at)))}`,
    rowKey: `${inverted(Date.parse(at))}:${chain}:${fromNewest}`,
  };
}

const rowsTogether = 50;

export function createTimelineIndex(open: OpenTable): TimelineIndex {
  const table = open('overview');

  return {
    async add(entries) {
      for (const ofDay of Map.groupBy(entries, ({ entry }) => dayOf(entry.at)).values())
        for (let from = 0; from < ofDay.length; from += rowsTogether) {
          const part = ofDay.slice(from, from + rowsTogether);
          for (const order of ['oldest', 'newest'] as const)
            await table.transact(part.map((one) => ({ put: rowOf(timeKey(order, one.entry), one), etag: '*' })));
        }
    },
    has: async (entry) => (await table.readEtag(timeKey('oldest', entry))) !== undefined,
    async page({ order, from, to, limit, after }) {
      const [first, last] = order === 'oldest' ? [from, to] : [to, from];
      const place = (ms: number) =>
        order === 'oldest'
          ? { day: `oldest:${dayOf(iso(ms))}`, row: iso(ms) }
          : { day: `newest:${inverted(Date.parse(dayOf(iso(ms))))}`, row: inverted(ms) };
      const [begin, end] = [place(first), place(last)];
      // Both orders read the times from `from` up to, and without, `to`; `;` is behind every row of the last moment.
      const start = after ?? (order === 'oldest' ? begin.row : `${begin.row};`);
      const stop = order === 'oldest' ? end.row : `${end.row};`;
      const days = odata`PartitionKey ge ${begin.day} and PartitionKey le ${end.day}`;
      const rows = await table.query<TimelineEntry>(
        `${days} and ${odata`RowKey gt ${start} and RowKey lt ${stop}`}`,
        limit,
      );
      return {
        rows: rows.map(({ rowKey, value }) => ({ at: rowKey, ...(value === undefined ? {} : { entry: value }) })),
        isLast: rows.length < limit,
      };
    },
  };
}
