/**
 * Azure Table Storage for the adapters in this folder: clients, the form of a row, and the translation of errors. A
 * row's value is JSON in `data`, with its format version in `v`. Limits (Table service data model): 64 KiB for a
 * property, 1 MiB for an entity, 100 entities in a batch.
 */
import { odata, RestError, type TableClient, TableTransaction } from '@azure/data-tables';
import { LostRace, Unavailable } from '../core/base/errors.ts';
import type { Stored } from '../core/base/stored.ts';
import type { EpochMs } from '../core/base/time.ts';

export { odata };

const formatVersion = 1;

export interface RowKey {
  readonly partitionKey: string;
  readonly rowKey: string;
}

export type Row = RowKey & { readonly v: number; readonly data: string };

export interface ReadRow<T> extends Stored<T> {
  readonly rowKey: string;
  readonly partitionKey: string;
  readonly writtenAt: EpochMs;
}

export type TableName =
  | 'accounts'
  | 'bindings'
  | 'vaults'
  | 'directory'
  | 'claims'
  | 'rings'
  | 'service'
  | 'outbox'
  | 'operations';
export type OpenTable = (name: TableName) => Table;

export const rowOf = (key: RowKey, value: unknown): Row => ({ ...key, v: formatVersion, data: JSON.stringify(value) });

/** Each table is created on first use. That is harmless when it exists, and a new storage account needs no script. */
export function openTables(clientOf: (tableName: string) => TableClient): OpenTable {
  const tables = new Map<TableName, Table>();
  return (name) => {
    const table = tables.get(name) ?? new Table(clientOf(`keyward${name}`));
    tables.set(name, table);
    return table;
  };
}

export class Table {
  readonly #client: TableClient;
  #created: Promise<unknown> | undefined;

  constructor(client: TableClient) {
    this.#client = client;
  }

  async read<T>(key: RowKey, read: (entity: Partial<Row>) => T = valueIn<T>): Promise<Stored<T> | undefined> {
    try {
      return await this.#run(async (client) => {
        const entity = await client.getEntity<Row>(key.partitionKey, key.rowKey);
        return { value: read(entity), etag: entity.etag };
      });
    } catch (error) {
      if (error instanceof NotThere) return undefined;
      throw error;
    }
  }

  /**
   * At most `limit` rows in key order that pass the filter. @throws TypeError on a row that cannot be read, unless
   * `read` is lenient.
   */
  async query<T>(filter: string, limit: number, read: (entity: Entity) => T = valueIn<T>): Promise<ReadRow<T>[]> {
    return this.#run(async (client) => {
      const rows: ReadRow<T>[] = [];
      const pages = client
        .listEntities<Row>({ queryOptions: { filter } })
        .byPage({ maxPageSize: Math.min(limit, 1000) });
      for await (const page of pages) {
        for (const entity of page) {
          rows.push({
            value: read(entity),
            etag: entity.etag,
            rowKey: entity.rowKey ?? '',
            partitionKey: entity.partitionKey ?? '',
            writtenAt: Date.parse(entity.timestamp ?? ''),
          });
          if (rows.length === limit) return rows;
        }
      }
      return rows;
    });
  }

  /** Returns the new row's ETag, or undefined when a row of this key exists. */
  insert(row: Row): Promise<string | undefined> {
    return unlessLost(async () => (await this.#run((client) => client.createEntity(row))).etag ?? '');
  }

  async put(row: Row & { readonly follows?: boolean; readonly at?: string }): Promise<void> {
    try {
      await this.#run((client) => client.upsertEntity(row, 'Replace'));
    } catch (error) {
      // An unconditional write loses no race, so the conflict is temporary.
      throw error instanceof LostRace ? unavailable({ statusCode: 409 }) : error;
    }
  }

  /** @throws LostRace when the ETag no longer matches, or the row is gone. */
  async replace(row: Row, etag: string): Promise<string> {
    const result = await goneIsLost(this.#run((client) => client.updateEntity(row, 'Replace', { etag })));
    return result.etag ?? '';
  }

  /** Returns the new ETag, or undefined when the ETag no longer matches or the row is gone. */
  replaceIfUnchanged(row: Row, etag: string): Promise<string | undefined> {
    return unlessLost(() => this.replace(row, etag));
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
    const transaction = new TableTransaction();
    if (etag === undefined) transaction.createEntity(first);
    else transaction.updateEntity(first, 'Replace', { etag });
    for (const row of inserts) transaction.createEntity(row);
    try {
      const result = await goneIsLost(this.#run((client) => client.submitTransaction(transaction.actions)));
      return result.subResponses[0]?.etag ?? '';
    } catch (error) {
      // After a lost answer the SDK tries again, and the second try loses to the first: then the stored row is this
      // one.
      const there = error instanceof LostRace ? await this.read(first) : undefined;
      if (there === undefined || JSON.stringify(there.value) !== first.data) throw error;
      return there.etag;
    }
  }

  /**
   * Deletes at most 99 rows of one partition if another row there is unchanged. Returns that row's new ETag. All or
   * nothing.
   * @throws LostRace
   */
  removeTogether(keys: readonly RowKey[], beside: RowKey, etag: string): Promise<string> {
    return this.#whileAsRead(beside, etag, (transaction) => {
      for (const key of keys) transaction.deleteEntity(key.partitionKey, key.rowKey);
    });
  }

  /** Writes a row if another row of its partition is unchanged. Returns that row's new ETag. @throws LostRace */
  putTogether(row: Row, beside: RowKey, etag: string): Promise<string> {
    return this.#whileAsRead(beside, etag, (transaction) => transaction.upsertEntity(row, 'Replace'));
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
    const result = await goneIsLost(this.#run((client) => client.submitTransaction(transaction.actions)));
    return result.subResponses[0]?.etag ?? '';
  }

  /** Deletes at most 100 rows of one partition. Returns false, and deletes none, when one of them is already gone. */
  async removeAll(keys: readonly RowKey[]): Promise<boolean> {
    const transaction = new TableTransaction();
    for (const key of keys) transaction.deleteEntity(key.partitionKey, key.rowKey);
    return (await unlessLost(() => this.#run((client) => client.submitTransaction(transaction.actions)))) !== undefined;
  }

  async #run<R>(operation: (client: TableClient) => Promise<R>): Promise<R> {
    await this.#create();
    try {
      return await operation(this.#client);
    } catch (error) {
      throw translated(error, () => {
        this.#created = undefined;
      });
    }
  }

  /** When the creation fails, the next call repeats it. */
  async #create(): Promise<void> {
    const creation = this.#created ?? this.#client.createTable();
    this.#created = creation;
    try {
      await creation;
    } catch (error) {
      if (this.#created === creation) this.#created = undefined;
      if (!isFromStorage(error)) throw error;
      throw unavailable(error);
    }
  }
}

/** The writer has read the row before. When the row is gone now, another writer was faster. */
async function goneIsLost<R>(write: Promise<R>): Promise<R> {
  try {
    return await write;
  } catch (error) {
    throw error instanceof NotThere ? new LostRace('The row is gone.') : error;
  }
}

async function unlessLost<R>(write: () => Promise<R>): Promise<R | undefined> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof LostRace || error instanceof NotThere) return undefined;
    throw error;
  }
}

class NotThere extends Error {}

/** A call over its deadline is aborted, and its error is no RestError. */
const isFromStorage = (error: unknown): error is Error & Partial<RestError> =>
  error instanceof RestError || (error instanceof Error && error.name === 'AbortError');

function translated(error: unknown, forgetCreation: () => void): unknown {
  if (!isFromStorage(error)) return error;
  const { statusCode, code, message } = error;
  if (statusCode === 404) {
    if (`${code} ${message}`.includes('TableNotFound')) forgetCreation();
    return new NotThere('There is no such row.');
  }
  return statusCode === 409 || statusCode === 412 ? new LostRace('The row has changed.') : unavailable(error);
}

const unavailable = ({ statusCode = 0 }: Partial<RestError>): Unavailable =>
  new Unavailable('StorageUnavailable', 'The tables of this service do not answer. Retry after a few seconds.', 5, {
    info: { status: statusCode },
  });

interface Entity {
  readonly v?: unknown;
  readonly data?: unknown;
}

export function valueIn<T>(entity: Entity): T {
  if (entity.v !== formatVersion || typeof entity.data !== 'string')
    throw new TypeError(`A row has format version ${String(entity.v)}, which this version of Keyward does not know.`);
  return JSON.parse(entity.data) as T;
}

/** For rows that another writer of the table can have changed: undefined when the row holds no value of Keyward. */
export function valueIfAny(entity: Entity): unknown {
  try {
    return valueIn<unknown>(entity);
  } catch {
    return undefined;
  }
}

/** For rows that are used by their keys only: a row with other content stops nothing. */
export const keyOnly = (): undefined => undefined;
