/** Writes of one row. Another writer that was faster loses no change: a conditional write compares the ETag (INV-7). */

import { LostRace } from '../core/base/errors.ts';
import type { Kek } from '../core/crypto/accountKeyEnvelope.ts';
import type { RowAuthenticator } from './rowAuthentication.ts';
import { ownKeyEntityOf, type Row, type RowKey } from './rowForm.ts';
import type { TableConnection } from './tableConnection.ts';
import { goneIsLost, NotThere, unavailable, unlessLost } from './tableErrors.ts';

export type RowWrites = ReturnType<typeof createRowWrites>;

export function createRowWrites(connection: TableConnection, authenticator: RowAuthenticator) {
  /** Returns the new row's ETag, or undefined when a row of this key exists. */
  async function insert(row: Row): Promise<string | undefined> {
    const entity = await authenticator.entityOf(row);
    return unlessLost(async () => (await connection.request((client) => client.createEntity(entity))).etag ?? '');
  }

  /** @throws LostRace when the ETag no longer matches, or the row is gone. */
  async function replace(row: Row, etag: string): Promise<string> {
    const entity = await authenticator.entityOf(row);
    const result = await goneIsLost(connection.request((client) => client.updateEntity(entity, 'Replace', { etag })));
    return result.etag ?? '';
  }

  /** Returns the new ETag, or undefined when the ETag no longer matches or the row is gone. */
  const replaceIfUnchanged = (row: Row, etag: string): Promise<string | undefined> =>
    unlessLost(() => replace(row, etag));

  return {
    insert,
    replace,
    replaceIfUnchanged,

    /** As `insert`, under a KEK of the row's own. */
    async insertUnderOwnKey(row: Row, kek: Kek): Promise<boolean> {
      const entity = ownKeyEntityOf(connection.name, row, kek);
      return (await unlessLost(() => connection.request((client) => client.createEntity(entity)))) !== undefined;
    },

    async put(row: Row): Promise<void> {
      const entity = await authenticator.entityOf(row);
      try {
        await connection.request((client) => client.upsertEntity(entity, 'Replace'));
      } catch (error) {
        // An unconditional write loses no race, so the conflict is temporary.
        throw error instanceof LostRace ? unavailable({ statusCode: 409 }) : error;
      }
    },

    /** Inserts the row, or replaces it under the ETag. Returns the new ETag, or undefined when the row is another now. */
    writeIfUnchanged: (row: Row, etag: string | undefined): Promise<string | undefined> =>
      etag === undefined ? insert(row) : replaceIfUnchanged(row, etag),

    /** Returns false when the row has changed, or is gone. */
    async remove(key: RowKey, etag = '*'): Promise<boolean> {
      try {
        await connection.request((client) => client.deleteEntity(key.partitionKey, key.rowKey, { etag }));
        return true;
      } catch (error) {
        if (error instanceof LostRace || error instanceof NotThere) return false;
        throw error;
      }
    },
  };
}
