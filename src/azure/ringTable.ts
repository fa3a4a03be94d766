/**
 * The rings, in one small table that is read as a whole. Each ring has a partition with its wrappings, the markers of
 * deleted first wrappings, and its state. One more partition has the last reading of the operator's keys.
 */

import { base64, fromBase64 } from '../core/base/bytes.ts';
import { defined } from '../core/base/defined.ts';
import { LostRace } from '../core/base/errors.ts';
import { indexKey } from '../core/base/names.ts';
import type { EpochMs } from '../core/base/time.ts';
import type { RingName } from '../core/base/vocabulary.ts';
import type { RingStore } from '../core/rings/ports.ts';
import type { KeyCheck, RingRow, RingState, StoredRing } from '../core/rings/ring.ts';
import { type OpenTable, odata, type ReadRow, type RowKey, plainRowOf as rowOf } from './tables.ts';

type Wrapping = Omit<RingRow, 'wrapped'> & { readonly wrapped: string };
interface Marker {
  readonly generation: number;
  readonly createdAt: EpochMs;
}

const stateKey = (ring: RingName): RowKey => ({ partitionKey: ring, rowKey: 'state' });
const checkKey: RowKey = { partitionKey: 'operatorKeys', rowKey: 'checked' };

/** A KEK's first wrapping has one row key for every key version: of two first starts only one can insert it. */
const keyOf = ({ ring, generation, key, isFirst }: Omit<RingRow, 'wrapped'>): RowKey => ({
  partitionKey: ring,
  rowKey: `${String(generation).padStart(10, '0')}:${isFirst ? 'first' : indexKey('wrapping', key)}`,
});

export function createRingStore(open: OpenTable): RingStore {
  const table = open('rings');

  return {
    async read() {
      const rows = await table.queryPlain(odata`PartitionKey ge ${''}`, Number.POSITIVE_INFINITY);
      const check = rows.find((row) => row.partitionKey === checkKey.partitionKey)?.value as KeyCheck | undefined;
      const of = (ring: RingName) => storedRing(rows.filter((row) => row.partitionKey === ring));
      const rings = { system: of('system'), 'at-rest': of('at-rest'), audit: of('audit') };
      return { rings, ...defined({ check }) };
    },

    async insert(row) {
      return (await table.insert(rowOf(keyOf(row), { ...row, wrapped: base64(row.wrapped) }))) !== undefined;
    },

    async remove(row) {
      const { generation, createdAt } = row;
      if (row.isFirst) await table.put(rowOf(keyOf(row), { generation, createdAt } satisfies Marker));
      else await table.remove(keyOf(row));
    },

    async saveState(ring, state, etag) {
      const row = rowOf(stateKey(ring), state);
      const saved = etag === undefined ? await table.insert(row) : await table.replaceIfUnchanged(row, etag);
      if (saved === undefined) throw new LostRace('The state of the ring has changed.');
    },

    saveCheck: (check) => table.put(rowOf(checkKey, check)),
  };
}

function storedRing(all: readonly ReadRow<unknown>[]): StoredRing {
  const found = all.find((row) => row.rowKey === 'state');
  const places = all.filter((row) => row !== found).map(({ value }) => value as Wrapping | Marker);
  const state = found && { value: found.value as RingState, etag: found.etag };
  return {
    rows: places.flatMap((one) => ('wrapped' in one ? [{ ...one, wrapped: fromBase64(one.wrapped) }] : [])),
    markers: places.filter((one) => !('wrapped' in one)),
    ...defined({ state }),
  };
}
