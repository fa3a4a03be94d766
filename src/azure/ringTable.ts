/**
 * The rings, in one small table that is read as a whole. Each ring has a partition with its wrappings, the markers of
 * deleted first wrappings, its state, and the link of its oldest KEK. One more partition has the last reading of the
 * operator's keys.
 *
 * A wrapping is authenticated by the KEK that it wraps, and a link by the KEK that it names. The others are under the at-rest
 * ring, which a process that starts must open first. So the table is read unverified, and verified with the KEKs at hand.
 */

import { emptyChain } from '../core/audit/auditEntry.ts';
import type { ServiceHead } from '../core/audit/ports.ts';
import { serviceChain } from '../core/audit/serviceAudit.ts';
import { base64, fromBase64 } from '../core/base/bytes.ts';
import { defined } from '../core/base/defined.ts';
import { LostRace } from '../core/base/errors.ts';
import { indexKey } from '../core/base/names.ts';
import type { EpochMs } from '../core/base/time.ts';
import { type RingName, ringNames } from '../core/base/vocabulary.ts';
import type { Keks } from '../core/crypto/keks.ts';
import type { LoadedRings, RingLoader, RingStateStore, RingStore } from '../core/rings/ports.ts';
import type { KeyCheck, RingLink, RingRoot, RingRow, RingState, StoredRing } from '../core/rings/storedRing.ts';
import { auditKey } from './auditRows.ts';
import {
  authenticValue,
  damaged,
  type Entity,
  isUnderOwnKey,
  ownKeyValue,
  plainRowOf,
  plainValue,
  type Row,
  type RowKey,
  rowOf,
} from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import { headKey } from './serviceAuditTable.ts';
import { isUndivided, layoutKey, layoutPartition, misplaced } from './shards/layoutKeys.ts';
import type { OpenTable, Table } from './tables.ts';

interface Marker {
  readonly generation: number;
  readonly createdAt: EpochMs;
}

const everything = Number.POSITIVE_INFINITY;
const stateKey = (ring: RingName): RowKey => ({ partitionKey: ring, rowKey: 'state' });
const rootKey = (ring: RingName): RowKey => ({ partitionKey: ring, rowKey: 'root' });
const checkKey: RowKey = { partitionKey: 'operatorKeys', rowKey: 'checked' };

/** A KEK's first wrapping has one row key for every key version: of two first starts only one can insert it. */
const keyOf = ({ ring, generation, key, isFirst }: Omit<RingRow, 'wrapped'>): RowKey => ({
  partitionKey: ring,
  rowKey: `${String(generation).padStart(10, '0')}:${isFirst ? 'first' : indexKey('wrapping', key)}`,
});

/** @param hasOneAccount by the settings. A divided state has its layout in this table (shards/layout.ts). */
export function createRingStore(open: OpenTable, hasOneAccount: boolean): RingStore & RingStateStore & RingLoader {
  const [table, service] = [open('rings'), open('service')];
  const load = async () => {
    const entities = await table.queryEntities(odata`PartitionKey ge ${''}`, everything);
    const refusal = hasOneAccount ? divisionIn(entities) : undefined;
    table.refuseOthers(refusal);
    if (refusal !== undefined) throw refusal;
    return loadedRings(entities, table);
  };

  return {
    load,

    async read() {
      const rings = await load();
      // Before the first start there is nothing to verify, and no ring to verify it with.
      return rings.verified(ringNames.some((ring) => rings.isUsed(ring)) ? await table.keks() : noKeks);
    },

    async readSealing(atRest) {
      // An entry that was added between the two reads is no reason for an alarm.
      for (let tries = 3; ; tries--) {
        const [entity] = await service.queryEntities(odata`PartitionKey eq ${serviceChain} and RowKey eq 'head'`, 1);
        const place = { table: service.name, ...headKey };
        const head = entity === undefined ? emptyChain : authenticValue<ServiceHead>(place, entity, atRest);
        if (head === damaged) return { sealing: {}, isLast: false };
        const next = auditKey(serviceChain, { chain: serviceChain, sequence: head.sequence + 1 });
        const isLast = (await service.readEtag(next)) === undefined;
        const { sealing = {} }: ServiceHead = head;
        if (isLast || tries === 1) return { sealing, isLast };
      }
    },

    async insert(row, kek) {
      const fresh = rowOf(keyOf(row), { ...row, wrapped: base64(row.wrapped) });
      if (await table.insertUnderOwnKey(fresh, kek)) return true;
      const { partitionKey, rowKey } = fresh;
      const [there] = await table.queryEntities(odata`PartitionKey eq ${partitionKey} and RowKey eq ${rowKey}`, 1);
      const wrapping = there && wrappingIn(there);
      // Another process was faster.
      if (there === undefined || (wrapping !== undefined && isAt(there, keyOf(wrapping)))) return false;
      // A foreign row would stop every rotation of the ring.
      table.report(fresh);
      await table.remove(fresh, String(there.etag));
      return table.insertUnderOwnKey(fresh, kek);
    },

    async remove(row) {
      const { generation, createdAt } = row;
      if (row.isFirst) await table.put(rowOf(keyOf(row), { generation, createdAt } satisfies Marker));
      else await table.remove(keyOf(row));
    },

    async saveState(ring, state, etag) {
      const row = rowOf(stateKey(ring), state);
      const saved =
        etag === undefined ? await insertOrReplaceDamaged(table, row) : await table.replaceIfUnchanged(row, etag);
      if (saved === undefined) throw new LostRace('The state of the ring has changed.');
    },

    saveRoot: (ring, root) => table.put(plainRowOf(rootKey(ring), root)),

    saveCheck: (check) => table.put(rowOf(checkKey, check)),
  };
}

function divisionIn(entities: readonly Entity[]): Error | undefined {
  const rows = entities.filter(({ partitionKey }) => partitionKey === layoutPartition);
  if (rows.every((row) => isAt(row, layoutKey) && isUndivided(row))) return undefined;
  return misplaced('The state is in several storage accounts, and the settings name one.');
}

const noKeks: Pick<Keks, 'kek'> = {
  kek() {
    throw new TypeError('There is no ring to verify rows with.');
  },
};

async function insertOrReplaceDamaged(table: Table, row: Row): Promise<string | undefined> {
  const inserted = await table.insert(row);
  if (inserted !== undefined) return inserted;
  const there = await table.readIfAuthentic(row);
  return there !== undefined && there.value === undefined ? table.replaceIfUnchanged(row, there.etag) : undefined;
}

function loadedRings(entities: readonly Entity[], table: Table): LoadedRings {
  const inPartition = (ring: RingName) => entities.filter(({ partitionKey }) => partitionKey === ring);
  const entityOf = new Map<RingRow, Entity>();
  for (const entity of entities) {
    const wrapping = wrappingIn(entity);
    if (wrapping !== undefined) entityOf.set(wrapping, entity);
  }
  const wrappingsOf = (ring: RingName) => [...entityOf.keys()].filter((wrapping) => wrapping.ring === ring);
  const rootOf = (ring: RingName) => rootIn(entityAt(inPartition(ring), rootKey(ring)));

  return {
    wrappings: { system: wrappingsOf('system'), 'at-rest': wrappingsOf('at-rest'), audit: wrappingsOf('audit') },
    roots: defined({ system: rootOf('system'), 'at-rest': rootOf('at-rest'), audit: rootOf('audit') }),
    isUsed: (ring) => inPartition(ring).length > 0,
    isAuthentic(row, kek) {
      const entity = entityOf.get(row);
      const key = keyOf(row);
      return entity !== undefined && isAt(entity, key) && isUnderOwnKey({ table: table.name, ...key }, entity, kek);
    },
    verified(atRest) {
      const verifiedValue = <T>(entity: Entity): T | undefined => {
        const [partitionKey, rowKey] = [String(entity.partitionKey), String(entity.rowKey)];
        const value = authenticValue<T>({ table: table.name, partitionKey, rowKey }, entity, atRest);
        if (value !== damaged) return value;
        table.report({ partitionKey, rowKey });
        return undefined;
      };
      const storedRing = (ring: RingName): StoredRing => {
        const stateEntity = entityAt(inPartition(ring), stateKey(ring));
        const state = stateEntity && verifiedValue<RingState>(stateEntity);
        const known = new Set<Entity | undefined>([stateEntity, ...entityOf.values()]);
        const others = inPartition(ring).filter((entity) => !known.has(entity) && !isAt(entity, rootKey(ring)));
        return {
          rows: wrappingsOf(ring),
          markers: others.flatMap((entity) => verifiedValue<Marker>(entity) ?? []),
          ...(state === undefined ? {} : { state: { value: state, etag: String(stateEntity?.etag) } }),
          ...defined({ root: rootOf(ring) }),
        };
      };
      const checkEntity = entityAt(entities, checkKey);
      return {
        rings: { system: storedRing('system'), 'at-rest': storedRing('at-rest'), audit: storedRing('audit') },
        ...defined({ check: checkEntity && verifiedValue<KeyCheck>(checkEntity) }),
      };
    },
  };
}

const isAt = (entity: Entity, { partitionKey, rowKey }: RowKey): boolean =>
  entity.partitionKey === partitionKey && entity.rowKey === rowKey;

const entityAt = (entities: readonly Entity[], key: RowKey): Entity | undefined =>
  entities.find((entity) => isAt(entity, key));

/** Unverified. Undefined: the row has not the form of a wrapping. */
function wrappingIn(entity: Entity): RingRow | undefined {
  const { wrapped, ring, generation, key, createdAt } = Object(ownKeyValue(entity)) as Partial<Record<string, unknown>>;
  const isWrapping =
    typeof wrapped === 'string' &&
    ringNames.some((name) => name === ring && name === entity.partitionKey) &&
    Number.isSafeInteger(generation) &&
    Number(generation) >= 1 &&
    typeof key === 'string' &&
    typeof createdAt === 'number';
  return isWrapping ? { ...(ownKeyValue(entity) as RingRow), wrapped: fromBase64(wrapped) } : undefined;
}

function rootIn(entity: Entity | undefined): RingRoot | undefined {
  const { generation, links } = Object(entity && plainValue(entity)) as Partial<RingRoot>;
  const isLink = (link: unknown): link is RingLink => {
    const { mac, ring, generation: by } = Object(link) as Partial<RingLink>;
    return typeof mac === 'string' && ringNames.some((name) => name === ring) && Number.isSafeInteger(by);
  };
  if (!Number.isSafeInteger(generation) || !Array.isArray(links)) return undefined;
  return { generation: generation as number, links: links.filter(isLink) };
}
