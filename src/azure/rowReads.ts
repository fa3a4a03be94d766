/**
 * Reads of one table. Every authentic row is verified (INV-13). A read of one row that is damaged throws DamagedRow; a
 * query returns it without a value, so that it stops no other row.
 */

import type { Stored } from '../core/base/stored.ts';
import type { EpochMs } from '../core/base/time.ts';
import type { RowAuthenticator } from './rowAuthentication.ts';
import { type Entity, etagOf, keyOf, plainValue, type RowKey, writtenAtOf } from './rowForm.ts';
import type { TableConnection } from './tableConnection.ts';

/** `ageMs`: since the row was written, by the clock of the Table service. At most a second too much. */
export interface AgedRow<T> extends Stored<T> {
  readonly ageMs: number;
}

export interface ReadRow<T> extends AgedRow<T>, RowKey {
  readonly writtenAt: EpochMs;
}

export type RowReads = ReturnType<typeof createRowReads>;

export function createRowReads(connection: TableConnection, authenticator: RowAuthenticator) {
  const ageOf = (entity: Entity) => connection.ageOf(writtenAtOf(entity));

  const rowIn = <T>(entity: Entity, value: T): ReadRow<T> => ({
    ...keyOf(entity),
    value,
    etag: etagOf(entity),
    writtenAt: writtenAtOf(entity),
    ageMs: ageOf(entity),
  });

  /** The value is undefined when the row is damaged. */
  async function readIfAuthentic<T>(key: RowKey): Promise<AgedRow<T | undefined> | undefined> {
    const entity = await connection.readEntity(key);
    if (entity === undefined) return undefined;
    const ageMs = ageOf(entity);
    const keks = await authenticator.keks();
    return { value: authenticator.valueOf<T>(key, entity, keks), etag: etagOf(entity), ageMs };
  }

  /** A row that is used by its key only, with any content. */
  async function readKey(key: RowKey): Promise<ReadRow<undefined> | undefined> {
    const entity = await connection.readEntity(key);
    return entity && rowIn(entity, undefined);
  }

  return {
    readIfAuthentic,
    readKey,

    /** @throws DamagedRow */
    async read<T>(key: RowKey): Promise<Stored<T> | undefined> {
      const row = await readIfAuthentic<T>(key);
      if (row === undefined || row.value !== undefined) return row as Stored<T> | undefined;
      throw authenticator.damagedRow(key);
    },

    /** A plain row, which authenticates its own content. The value is undefined when Keyward did not write the row. */
    async readPlain(key: RowKey): Promise<Stored<unknown> | undefined> {
      const entity = await connection.readEntity(key);
      return entity && { value: plainValue(entity), etag: etagOf(entity) };
    },

    /** The ETag of a row that is used by its key only, with any content. */
    async readEtag(key: RowKey): Promise<string | undefined> {
      return (await readKey(key))?.etag;
    },

    /** At most `limit` rows in key order that pass the filter. The value of a damaged row is undefined. */
    async query<T>(filter: string, limit: number): Promise<ReadRow<T | undefined>[]> {
      const entities = await connection.queryEntities(filter, limit);
      if (entities.length === 0) return [];
      const keks = await authenticator.keks();
      return entities.map((entity) => rowIn(entity, authenticator.valueOf<T>(keyOf(entity), entity, keks)));
    },

    async queryPlain(filter: string, limit: number): Promise<ReadRow<unknown>[]> {
      return (await connection.queryEntities(filter, limit)).map((entity) => rowIn(entity, plainValue(entity)));
    },

    /** Rows that are used by their keys only, with any content. */
    async queryKeys(filter: string, limit: number): Promise<ReadRow<undefined>[]> {
      return (await connection.queryEntities(filter, limit)).map((entity) => rowIn(entity, undefined));
    },
  };
}
