/** One table: its entities in key order, and the operations on them with their conditions. */
import {
  checkKey,
  checkSize,
  type Entity,
  type EntityKey,
  etagOf,
  type Properties,
  storedProperties,
} from './entity.ts';
import { refusal } from './errors.ts';
import { type Filter, isMatch, type KeyRange, rangeOf } from './filter.ts';
import { SortedMap } from './sortedMap.ts';

export type Operation = EntityKey &
  (
    | { readonly kind: 'insert'; readonly body: Properties }
    /** Without `ifMatch` the entity is inserted where it does not exist. */
    | { readonly kind: 'replace' | 'merge'; readonly body: Properties; readonly ifMatch: string | undefined }
    | { readonly kind: 'delete'; readonly ifMatch: string | undefined }
  );

export interface Page {
  readonly entities: readonly Entity[];
  /** The key that the next page begins with. */
  readonly next?: EntityKey;
}

const everything: KeyRange = { from: '', to: undefined };
const isPast = (key: string, { to }: KeyRange): boolean => to !== undefined && key > to;

export class Table {
  readonly #partitions = new SortedMap<SortedMap<Entity>>();
  readonly #nextTimestamp: () => string;

  /** @param nextTimestamp gives each write a later time than the one before, because the ETag is made of it. */
  constructor(nextTimestamp: () => string) {
    this.#nextTimestamp = nextTimestamp;
  }

  get({ partitionKey, rowKey }: EntityKey): Entity | undefined {
    return this.#partitions.get(partitionKey)?.get(rowKey);
  }

  /** What the entity becomes: undefined when it is deleted. Changes nothing. @throws TableError */
  prepare(operation: Operation): Entity | undefined {
    const { partitionKey, rowKey } = operation;
    const current = this.get(operation);
    switch (operation.kind) {
      case 'insert': {
        const entity = this.#entity(operation, storedProperties(operation.body));
        if (current !== undefined) throw refusal('EntityAlreadyExists');
        return entity;
      }
      case 'replace':
      case 'merge': {
        const before = operation.kind === 'merge' ? current?.properties : {};
        const entity = this.#entity({ partitionKey, rowKey }, { ...before, ...storedProperties(operation.body) });
        if (operation.ifMatch !== undefined) assertMatch(current, operation.ifMatch);
        return entity;
      }
      case 'delete':
        if (operation.ifMatch === undefined) throw refusal('MissingRequiredHeader', 'If-Match is missing.');
        assertMatch(current, operation.ifMatch);
        return undefined;
    }
  }

  put(entity: Entity): void {
    const partition = this.#partitions.get(entity.partitionKey) ?? new SortedMap<Entity>();
    partition.set(entity.rowKey, entity);
    this.#partitions.set(entity.partitionKey, partition);
  }

  remove({ partitionKey, rowKey }: EntityKey): void {
    const partition = this.#partitions.get(partitionKey);
    partition?.delete(rowKey);
    if (partition?.size === 0) this.#partitions.delete(partitionKey);
  }

  /** At most `limit` entities that fit, in key order, from a key on. */
  page(filter: Filter | undefined, limit: number, first?: EntityKey): Page {
    const partitions = filter === undefined ? everything : rangeOf(filter, 'PartitionKey');
    const rows = filter === undefined ? everything : rangeOf(filter, 'RowKey');
    const entities: Entity[] = [];
    const from = first !== undefined && first.partitionKey > partitions.from ? first.partitionKey : partitions.from;
    for (const [partitionKey, partition] of this.#partitions.from(from)) {
      if (isPast(partitionKey, partitions)) break;
      const begin = partitionKey === first?.partitionKey && first.rowKey > rows.from ? first.rowKey : rows.from;
      for (const [rowKey, entity] of partition.from(begin)) {
        if (isPast(rowKey, rows)) break;
        if (filter !== undefined && !isMatch(filter, entity)) continue;
        if (entities.length === limit) return { entities, next: { partitionKey, rowKey } };
        entities.push(entity);
      }
    }
    return { entities };
  }

  #entity(key: EntityKey, properties: Properties): Entity {
    const { partitionKey, rowKey } = key;
    checkKey(key);
    checkSize(key, properties);
    return { partitionKey, rowKey, properties, timestamp: this.#nextTimestamp() };
  }
}

function assertMatch(current: Entity | undefined, ifMatch: string): void {
  if (current === undefined) throw refusal('ResourceNotFound');
  if (ifMatch !== '*' && ifMatch !== etagOf(current)) throw refusal('UpdateConditionNotSatisfied');
}
