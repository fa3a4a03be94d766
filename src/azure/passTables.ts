/**
 * What the background passes leave for the next one, and for readiness: the sweep, its ranges, the daily pass, the
 * drill.
 */

import { accountNamePattern } from '../core/base/names.ts';
import type { EpochMs } from '../core/base/time.ts';
import {
  type DailyPassState,
  type DailyPassStore,
  maxBounds,
  type NameBounds,
  noBounds,
} from '../core/dailyProgress.ts';
import type { DrillResult, DrillStore } from '../core/drill.ts';
import type { RangeState, RangeStore, SweepMark } from '../core/vaultWork/ports.ts';
import { plainRowOf, rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import { isTime } from './storedTime.ts';
import type { OpenTable } from './tables.ts';

/** Plain, so that a process without rings can report its health. It decides nothing. */
export function createSweepMark(open: OpenTable): SweepMark {
  const table = open('service');
  const key = { partitionKey: 'sweep', rowKey: 'last' };

  const markIn = (row: { readonly value: unknown } | undefined): EpochMs | undefined => {
    const { at } = Object(row?.value) as { at?: unknown };
    return isTime(at) ? at : undefined;
  };

  return {
    read: async () => markIn(await table.readPlain(key)),
    write: (at) => table.put(plainRowOf(key, { at })),
    async replace(before, at) {
      const stored = await table.readPlain(key);
      if (markIn(stored) !== before) return false;
      return (await table.writeIfUnchanged(plainRowOf(key, { at }), stored?.etag)) !== undefined;
    },
  };
}

/**
 * In one partition, so that the states of all ranges are a query. The rows of another number of ranges are not read.
 */
export function createRangeStore(open: OpenTable): RangeStore {
  const table = open('service');
  const partitionKey = 'ranges';
  const padded = (number: number) => String(number).padStart(4, '0');
  const rangesOf = (of: number) => `${padded(of)}:`;

  return {
    async read({ range, of }) {
      const rowKey = `${rangesOf(of)}${padded(range)}`;
      return (await table.readIfAuthentic<RangeState>({ partitionKey, rowKey }))?.value ?? {};
    },
    write: ({ range, of }, state) =>
      table.put(rowOf({ partitionKey, rowKey: `${rangesOf(of)}${padded(range)}` }, state)),
    async all(of) {
      const [from, to] = [rangesOf(of), rangesOf(of).replace(':', ';')];
      const range = odata`PartitionKey eq ${partitionKey} and RowKey gt ${from} and RowKey lt ${to}`;
      const rows = await table.query<RangeState>(range, of);
      const states = new Map(rows.map(({ rowKey, value }) => [rowKey, value ?? {}]));
      return Array.from({ length: of }, (_, number) => states.get(`${from}${padded(number)}`) ?? {});
    },
  };
}

const isBounds = (value: unknown): value is NameBounds => {
  const { names, each, pages } = Object(value) as Partial<NameBounds>;
  const isName = (name: unknown) => typeof name === 'string' && accountNamePattern.test(name);
  const areNames = Array.isArray(names) && names.length <= maxBounds && names.every(isName);
  return areNames && Number.isSafeInteger(each) && Number.isSafeInteger(pages);
};

/** Plain, as the sweep's mark: readiness shows it, and it decides nothing. */
export function createDailyPassStore(open: OpenTable): DailyPassStore {
  const table = open('service');
  const key = { partitionKey: 'dailyPass', rowKey: 'last' };

  return {
    async read() {
      const stored = Object((await table.readPlain(key))?.value) as Partial<DailyPassState>;
      const { startedAt, messages, isDivided, bounds } = stored;
      if (!isTime(startedAt) || !Number.isSafeInteger(messages) || messages === undefined) return undefined;
      return { startedAt, messages, isDivided: isDivided === true, bounds: isBounds(bounds) ? bounds : noBounds };
    },
    write: (state) => table.put(plainRowOf(key, state)),
  };
}

export function createDrillStore(open: OpenTable): DrillStore {
  const table = open('service');
  const key = { partitionKey: 'drills', rowKey: 'last' };

  return {
    async read() {
      const stored = await table.readIfAuthentic<{ readonly results: readonly DrillResult[] }>(key);
      return stored && { value: stored.value?.results ?? [], etag: stored.etag };
    },
    async write(results, etag) {
      return (await table.writeIfUnchanged(rowOf(key, { results }), etag)) !== undefined;
    },
  };
}
