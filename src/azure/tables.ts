/**
 * Azure Table Storage for the adapters in this folder. Limits (Table service data model): 64 KiB for a property, 1 MiB for
 * an entity, 100 entities and 4 MiB in a batch.
 *
 * Every authentic row (rowForm.ts) is verified on every read. A row that fails is reported. A read of that one row throws
 * DamagedRow; a query returns it without a value, so that it stops no other row.
 */

import { DamagedRow, type RowPlace } from '../core/base/damagedRow.ts';
import { LostRace } from '../core/base/errors.ts';
import type { Stored } from '../core/base/stored.ts';
import type { EpochMs } from '../core/base/time.ts';
import type { Kek } from '../core/crypto/accountKeyEnvelope.ts';
import type { Keks } from '../core/crypto/keks.ts';
import type { RenewedPage } from '../core/reseal/ports.ts';
import {
  authenticValue,
  contentOf,
  damaged,
  type Entity,
  entityOf,
  ownKeyEntityOf,
  plainEntityOf,
  plainRowOf,
  plainValue,
  type Row,
  type RowKey,
  rowOf,
} from './rowForm.ts';
import { odata, type TableClient, type TableEntity, TableTransaction } from './sdk/tables.ts';
import {
  goneIsLost,
  isFromStorage,
  isWithoutTable,
  NotThere,
  Rejected,
  translated,
  unavailable,
  unlessLost,
} from './tableErrors.ts';

export { odata, plainRowOf, type Row, type RowKey, rowOf };

/** `ageMs`: since the row was written, by the clock of the Table service. At most a second too much. */
export interface AgedRow<T> extends Stored<T> {
  readonly ageMs: number;
}

export interface ReadRow<T> extends AgedRow<T> {
  readonly rowKey: string;
  readonly partitionKey: string;
  readonly writtenAt: EpochMs;
}

/** In the order in which a pass renews their rows. */
export const tableNames = [
  'accounts',
  'bindings',
  'vaults',
  'directory',
  'claims',
  'rings',
  'service',
  'outbox',
  'operations',
  'overview',
] as const;
export type TableName = (typeof tableNames)[number];
export type OpenTable = (name: TableName) => Table;

export interface PutRow {
  readonly put: Row;
  readonly etag: string | undefined;
}

export interface RemoveRow {
  readonly remove: RowKey;
}

const renewedAtOnce = 50;
/** Entities in a transaction (Table service, "Performing entity group transactions"). */
export const batchLimit = 100;

/** What Keyward uses of the SDK's client. */
export type TableRequests = Pick<
  TableClient,
  | 'createTable'
  | 'getEntity'
  | 'listEntities'
  | 'createEntity'
  | 'upsertEntity'
  | 'updateEntity'
  | 'deleteEntity'
  | 'submitTransaction'
> & { readonly pipeline: Pick<TableClient['pipeline'], 'addPolicy'> };

/** What authenticates rows. */
export interface RowAuthentication {
  /** The at-rest ring. @throws Unavailable */
  keks(): Promise<Keks>;
  /** The audit ring. @throws Unavailable */
  auditKeks(): Promise<Keks>;
  /** A row was read that is not as Keyward wrote it. */
  report(place: RowPlace): void;
  /** The Table service refused what Keyward sent: a fault of Keyward. `code` is a word of the service. */
  rejected(table: string, code: string): void;
}

/** Why no table but that of the rings may be used: the settings do not name all accounts of the state. */
interface Refusal {
  reason: Error | undefined;
}

/** A table that is missing is created with its first request, so that a new storage account needs no script. */
export function openTables(
  clientOf: (tableName: string) => TableRequests,
  authentication: RowAuthentication,
): OpenTable {
  const tables = new Map<TableName, Table>();
  const refusal = { reason: undefined };
  return (name) => {
    const table = tables.get(name) ?? new Table(name, () => clientOf(`keyward${name}`), authentication, refusal);
    tables.set(name, table);
    return table;
  };
}

export class Table {
  readonly name: TableName;
  readonly #open: () => TableRequests;
  readonly #authentication: RowAuthentication;
  readonly #refusal: Refusal;
  #client: TableRequests | undefined;
  #creation: Promise<void> | undefined;
  /** The service's time of its last answer. */
  #answeredAt: EpochMs | undefined;

  /** @param open makes the client with the first request: most calls of a process that starts use few tables. */
  constructor(name: TableName, open: () => TableRequests, authentication: RowAuthentication, refusal: Refusal) {
    this.name = name;
    this.#refusal = refusal;
    this.#open = open;
    this.#authentication = authentication;
  }

  #opened(): TableRequests {
    const client = this.#open();
    client.pipeline.addPolicy({
      name: 'timeOfTheService',
      sendRequest: async (request, next) => {
        const response = await next(request);
        const answeredAt = Date.parse(response.headers.get('date') ?? '');
        if (!Number.isNaN(answeredAt)) this.#answeredAt = answeredAt;
        return response;
      },
    });
    return client;
  }

  /** @throws DamagedRow */
  async read<T>(key: RowKey): Promise<Stored<T> | undefined> {
    const row = await this.readIfAuthentic<T>(key);
    if (row === undefined || row.value !== undefined) return row as Stored<T> | undefined;
    throw new DamagedRow(this.#placeOf(key));
  }

  /** The value is undefined when the row is damaged. */
  async readIfAuthentic<T>(key: RowKey): Promise<AgedRow<T | undefined> | undefined> {
    const entity = await this.#entity(key);
    if (entity === undefined) return undefined;
    const ageMs = this.#ageOf(entity);
    const keks = await this.#authentication.keks();
    return { value: this.#valueOf<T>(key, entity, keks), etag: etagOf(entity), ageMs };
  }

  /** Of a plain row, which authenticates its own content. The value is undefined when it holds none of Keyward. */
  async readPlain(key: RowKey): Promise<Stored<unknown> | undefined> {
    const entity = await this.#entity(key);
    return entity && { value: plainValue(entity), etag: etagOf(entity) };
  }

  /** The ETag of a row that is used by its key only, with any content. */
  async readEtag(key: RowKey): Promise<string | undefined> {
    return (await this.readKey(key))?.etag;
  }

  /** A row that is used by its key only, with any content. */
  async readKey(key: RowKey): Promise<ReadRow<undefined> | undefined> {
    const entity = await this.#entity(key);
    return entity && this.#rowIn(entity, undefined);
  }

  /** At most `limit` rows in key order that pass the filter. The value of a damaged row is undefined. */
  async query<T>(filter: string, limit: number): Promise<ReadRow<T | undefined>[]> {
    const entities = await this.queryEntities(filter, limit);
    if (entities.length === 0) return [];
    const keks = await this.#authentication.keks();
    return entities.map((entity) => this.#rowIn(entity, this.#valueOf<T>(keyOf(entity), entity, keks)));
  }

  async queryPlain(filter: string, limit: number): Promise<ReadRow<unknown>[]> {
    return (await this.queryEntities(filter, limit)).map((entity) => this.#rowIn(entity, plainValue(entity)));
  }

  /** Rows that are used by their keys only, with any content. */
  async queryKeys(filter: string, limit: number): Promise<ReadRow<undefined>[]> {
    return (await this.queryEntities(filter, limit)).map((entity) => this.#rowIn(entity, undefined));
  }

  /** The process's at-rest ring. @throws Unavailable */
  keks(): Promise<Keks> {
    return this.#authentication.keks();
  }

  /** The process's audit ring. @throws Unavailable */
  auditKeks(): Promise<Keks> {
    return this.#authentication.auditKeks();
  }

  /** Reports a row that another reader has found damaged, and returns the error that names it. */
  report(key: RowKey): DamagedRow {
    const place = this.#placeOf(key);
    this.#authentication.report(place);
    return new DamagedRow(place);
  }

  /** All tables that were opened together, until the rings have been read again. */
  refuseOthers(reason: Error | undefined): void {
    this.#refusal.reason = reason;
  }

  async #entity({ partitionKey, rowKey }: RowKey): Promise<Entity | undefined> {
    try {
      return await this.#run((client) => client.getEntity(partitionKey, rowKey));
    } catch (error) {
      if (error instanceof NotThere) return undefined;
      throw error;
    }
  }

  /** Rows as the table has them, for a reader that verifies them with keys of its own. */
  queryEntities(filter: string, limit: number): Promise<Entity[]> {
    return this.#run(async (client) => {
      const entities: Entity[] = [];
      const pages = client.listEntities({ queryOptions: { filter } }).byPage({ maxPageSize: Math.min(limit, 1000) });
      for await (const page of pages) {
        entities.push(...page.slice(0, limit - entities.length));
        if (entities.length === limit) return entities;
      }
      return entities;
    });
  }

  /** The header has whole seconds. */
  #ageOf(entity: Entity): number {
    return (this.#answeredAt ?? Date.now()) + 999 - writtenAtOf(entity);
  }

  #rowIn<T>(entity: Entity, value: T): ReadRow<T> {
    const ages = { writtenAt: writtenAtOf(entity), ageMs: this.#ageOf(entity) };
    return { ...keyOf(entity), value, etag: etagOf(entity), ...ages };
  }

  #placeOf({ partitionKey, rowKey }: RowKey): RowPlace {
    return { table: this.name, partitionKey, rowKey };
  }

  #valueOf<T>(key: RowKey, entity: Entity, keks: Keks): T | undefined {
    const place = this.#placeOf(key);
    const value = authenticValue<T>(place, entity, keks);
    if (value !== damaged) return value;
    this.#authentication.report(place);
    return undefined;
  }

  async #entityOf(row: Row): Promise<TableEntity> {
    return row.isPlain ? plainEntityOf(row) : entityOf(this.name, row, await this.#authentication.keks());
  }

  /** Returns the new row's ETag, or undefined when a row of this key exists. */
  async insert(row: Row): Promise<string | undefined> {
    const entity = await this.#entityOf(row);
    return unlessLost(async () => (await this.#run((client) => client.createEntity(entity))).etag ?? '');
  }

  /** As `insert`, under a KEK of the row's own. */
  async insertUnderOwnKey(row: Row, kek: Kek): Promise<boolean> {
    const entity = ownKeyEntityOf(this.name, row, kek);
    return (await unlessLost(() => this.#run((client) => client.createEntity(entity)))) !== undefined;
  }

  async put(row: Row): Promise<void> {
    const entity = await this.#entityOf(row);
    try {
      await this.#run((client) => client.upsertEntity(entity, 'Replace'));
    } catch (error) {
      // An unconditional write loses no race, so the conflict is temporary.
      throw error instanceof LostRace ? unavailable({ statusCode: 409 }) : error;
    }
  }

  /** @throws LostRace when the ETag no longer matches, or the row is gone. */
  async replace(row: Row, etag: string): Promise<string> {
    const entity = await this.#entityOf(row);
    const result = await goneIsLost(this.#run((client) => client.updateEntity(entity, 'Replace', { etag })));
    return result.etag ?? '';
  }

  /** Returns the new ETag, or undefined when the ETag no longer matches or the row is gone. */
  replaceIfUnchanged(row: Row, etag: string): Promise<string | undefined> {
    return unlessLost(() => this.replace(row, etag));
  }

  /** Inserts the row, or replaces it under the ETag. Returns the new ETag, or undefined when the row is another now. */
  writeIfUnchanged(row: Row, etag: string | undefined): Promise<string | undefined> {
    return etag === undefined ? this.insert(row) : this.replaceIfUnchanged(row, etag);
  }

  /** Returns false when the row has changed, or is gone. */
  async remove(key: RowKey, etag = '*'): Promise<boolean> {
    try {
      await this.#run((client) => client.deleteEntity(key.partitionKey, key.rowKey, { etag }));
      return true;
    } catch (error) {
      if (error instanceof LostRace || error instanceof NotThere) return false;
      throw error;
    }
  }

  /**
   * Inserts the first row, or replaces it under the given ETag, and inserts the others: all or nothing. @throws
   * LostRace
   */
  async batch(first: Row, etag: string | undefined, inserts: readonly Row[]): Promise<string> {
    const [entity, ...others] = await Promise.all([first, ...inserts].map((row) => this.#entityOf(row)));
    const transaction = new TableTransaction();
    if (entity === undefined) throw new TypeError('A batch has a first row.');
    if (etag === undefined) transaction.createEntity(entity);
    else transaction.updateEntity(entity, 'Replace', { etag });
    for (const other of others) transaction.createEntity(other);
    try {
      return await this.#submit(transaction);
    } catch (error) {
      // After a lost answer the SDK tries again, and the second try loses to the first: then the stored row is this
      // one.
      const there = error instanceof LostRace ? await this.#entity(first) : undefined;
      // The MAC covers place and content.
      if (there === undefined || there.data !== entity.data || there.mac !== entity.mac) throw error;
      return etagOf(there);
    }
  }

  /**
   * Deletes all rows of a range of one partition, in transactions, while another row there is unchanged. Returns that
   * row's new ETag. @throws LostRace
   */
  async clearBeside(range: string, beside: RowKey, unchanged: string): Promise<string> {
    for (let etag = unchanged; ; ) {
      const rows = await this.queryKeys(range, batchLimit - 1);
      if (rows.length === 0) return etag;
      etag = await this.#whileAsRead(beside, etag, (transaction) => {
        for (const { partitionKey, rowKey } of rows) transaction.deleteEntity(partitionKey, rowKey);
      });
    }
  }

  /** Writes a row if another row of its partition is unchanged. Returns that row's new ETag. @throws LostRace */
  async putTogether(row: Row, beside: RowKey, etag: string): Promise<string> {
    const entity = await this.#entityOf(row);
    return this.#whileAsRead(beside, etag, (transaction) => transaction.upsertEntity(entity, 'Replace'));
  }

  /** A transaction of the SDK deletes no row under an ETag, so it updates the other row under its ETag. */
  async #whileAsRead(
    { partitionKey, rowKey }: RowKey,
    etag: string,
    add: (transaction: TableTransaction) => void,
  ): Promise<string> {
    const transaction = new TableTransaction();
    transaction.updateEntity({ partitionKey, rowKey }, 'Merge', { etag });
    add(transaction);
    return this.#submit(transaction);
  }

  /** Returns the ETag of the first row. @throws LostRace */
  async #submit(transaction: TableTransaction): Promise<string> {
    const result = await goneIsLost(this.#run((client) => client.submitTransaction(transaction.actions)));
    return result.subResponses[0]?.etag ?? '';
  }

  /**
   * One page of the rows that are under an at-rest KEK older than `generation`: their MACs are made again under the
   * newest KEK. `after`: the `next` of the page before. A page can be empty and have a `next`, because Table Storage
   * reads the whole table.
   */
  async renewPage(generation: number, after?: string): Promise<RenewedPage> {
    const filter = odata`v eq 2 and generation lt ${generation}`;
    const page = await this.#run(async (client) => {
      const from = after === undefined ? {} : { continuationToken: after };
      const pages = client.listEntities({ queryOptions: { filter } }).byPage({ maxPageSize: renewedAtOnce, ...from });
      return (await pages.next()).value ?? [];
    });
    const keks = await this.#authentication.keks();
    const results = await Promise.all((page as Entity[]).map((entity) => this.#renew(entity, keks)));
    const count = (of: 'renewed' | 'damaged') => results.filter((result) => result === of).length;
    const { continuationToken: next } = page as { continuationToken?: string };
    const counts = { found: results.length, renewed: count('renewed'), damaged: count('damaged') };
    return next === undefined ? counts : { ...counts, next };
  }

  async #renew(entity: Entity, keks: Keks): Promise<'renewed' | 'damaged' | 'changed'> {
    const key = keyOf(entity);
    if (this.#valueOf(key, entity, keks) === undefined) return 'damaged';
    const { generation, mac } = entityOf(this.name, contentOf(entity), keks);
    const renewed = { ...key, generation, mac } as TableEntity;
    const etag = etagOf(entity);
    const saved = await unlessLost(() => this.#run((client) => client.updateEntity(renewed, 'Merge', { etag })));
    return saved === undefined ? 'changed' : 'renewed';
  }

  /**
   * At most 100 writes of one partition: all or nothing. The ETag of a put row means: `*` replaces any row, a value
   * replaces the row with that ETag, and `undefined` inserts. Returns the ETag of the first row. @throws LostRace
   */
  async transact(writes: readonly (PutRow | RemoveRow)[]): Promise<string> {
    const transaction = new TableTransaction();
    for (const write of writes) {
      if ('remove' in write) {
        transaction.deleteEntity(write.remove.partitionKey, write.remove.rowKey);
        continue;
      }
      const entity = await this.#entityOf(write.put);
      if (write.etag === undefined) transaction.createEntity(entity);
      else if (write.etag === '*') transaction.upsertEntity(entity, 'Replace');
      else transaction.updateEntity(entity, 'Replace', { etag: write.etag });
    }
    return this.#submit(transaction);
  }

  /** Deletes at most 100 rows of one partition. Returns false, and deletes none, when one of them is already gone. */
  async removeAll(keys: readonly RowKey[]): Promise<boolean> {
    const transaction = new TableTransaction();
    for (const key of keys) transaction.deleteEntity(key.partitionKey, key.rowKey);
    return (await unlessLost(() => this.#submit(transaction))) !== undefined;
  }

  async #run<R>(operation: (client: TableRequests) => Promise<R>): Promise<R> {
    if (this.#refusal.reason !== undefined && this.name !== 'rings') throw this.#refusal.reason;
    this.#client ??= this.#opened();
    const client = this.#client;
    try {
      return await operation(client).catch(async (error: unknown) => {
        if (!isWithoutTable(error)) throw error;
        await this.#create(client);
        return operation(client);
      });
    } catch (error) {
      const thrown = translated(error);
      if (thrown instanceof Rejected) this.#authentication.rejected(this.name, thrown.tableCode);
      throw thrown;
    }
  }

  /** Calls at the same time share one creation. When it fails, the next call repeats it. */
  async #create(client: TableRequests): Promise<void> {
    this.#creation ??= client.createTable().finally(() => {
      this.#creation = undefined;
    });
    try {
      await this.#creation;
    } catch (error) {
      throw isFromStorage(error) ? unavailable(error) : error;
    }
  }
}

const etagOf = ({ etag }: Entity): string => String(etag);

const keyOf = ({ partitionKey, rowKey }: Entity): RowKey => ({
  partitionKey: String(partitionKey ?? ''),
  rowKey: String(rowKey ?? ''),
});

const writtenAtOf = ({ timestamp }: Entity): EpochMs => Date.parse(String(timestamp));
