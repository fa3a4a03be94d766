/**
 * Writes of several rows of one partition in entity-group transactions: all or nothing. Limits of the Table service
 * ("Performing entity group transactions"): 100 entities and 4 MiB.
 */

import { LostRace } from '../core/base/errors.ts';
import type { RowAuthenticator } from './rowAuthentication.ts';
import { etagOf, type Row, type RowKey } from './rowForm.ts';
import type { RowReads } from './rowReads.ts';
import { TableTransaction } from './sdk/tables.ts';
import type { TableConnection } from './tableConnection.ts';
import { goneIsLost, unlessLost } from './tableErrors.ts';

/** Entities in a transaction. */
export const batchLimit = 100;

interface PutRow {
  readonly put: Row;
  readonly etag: string | undefined;
}

interface RemoveRow {
  readonly remove: RowKey;
}

export type RowBatches = ReturnType<typeof createRowBatches>;

export function createRowBatches(
  connection: TableConnection,
  authenticator: RowAuthenticator,
  { queryKeys }: Pick<RowReads, 'queryKeys'>,
) {
  /** Returns the ETag of the first row. @throws LostRace */
  async function submit(transaction: TableTransaction): Promise<string> {
    const result = await goneIsLost(connection.request((client) => client.submitTransaction(transaction.actions)));
    return result.subResponses[0]?.etag ?? '';
  }

  /** A transaction of the SDK deletes no row under an ETag, so it updates the other row under its ETag. */
  function submitBeside(
    { partitionKey, rowKey }: RowKey,
    etag: string,
    add: (transaction: TableTransaction) => void,
  ): Promise<string> {
    const transaction = new TableTransaction();
    transaction.updateEntity({ partitionKey, rowKey }, 'Merge', { etag });
    add(transaction);
    return submit(transaction);
  }

  return {
    /**
     * Inserts the first row, or replaces it under the given ETag, and inserts the others. Returns the ETag of the first
     * row. @throws LostRace
     */
    async batch(first: Row, etag: string | undefined, inserts: readonly Row[]): Promise<string> {
      const [entity, ...others] = await Promise.all([first, ...inserts].map((row) => authenticator.entityOf(row)));
      const transaction = new TableTransaction();
      if (entity === undefined) throw new TypeError('A batch has a first row.');
      if (etag === undefined) transaction.createEntity(entity);
      else transaction.updateEntity(entity, 'Replace', { etag });
      for (const other of others) transaction.createEntity(other);
      try {
        return await submit(transaction);
      } catch (error) {
        // After a lost answer the SDK tries again, and the second try loses to the first: then the stored row is this
        // one.
        const there = error instanceof LostRace ? await connection.readEntity(first) : undefined;
        // The MAC covers place and content.
        if (there === undefined || there.data !== entity.data || there.mac !== entity.mac) throw error;
        return etagOf(there);
      }
    },

    /**
     * At most 100 writes of one partition. The ETag of a put row means: `*` replaces any row, a value replaces the row
     * with that ETag, and `undefined` inserts. Returns the ETag of the first row. @throws LostRace
     */
    async transact(writes: readonly (PutRow | RemoveRow)[]): Promise<string> {
      const transaction = new TableTransaction();
      for (const write of writes) {
        if ('remove' in write) {
          transaction.deleteEntity(write.remove.partitionKey, write.remove.rowKey);
          continue;
        }
        const entity = await authenticator.entityOf(write.put);
        if (write.etag === undefined) transaction.createEntity(entity);
        else if (write.etag === '*') transaction.upsertEntity(entity, 'Replace');
        else transaction.updateEntity(entity, 'Replace', { etag: write.etag });
      }
      return submit(transaction);
    },

    /** Deletes at most 100 rows of one partition. Returns false, and deletes none, when one of them is already gone. */
    async removeAll(keys: readonly RowKey[]): Promise<boolean> {
      const transaction = new TableTransaction();
      for (const { partitionKey, rowKey } of keys) transaction.deleteEntity(partitionKey, rowKey);
      return (await unlessLost(() => submit(transaction))) !== undefined;
    },

    /** Writes a row if another row of its partition is unchanged. Returns that row's new ETag. @throws LostRace */
    async putTogether(row: Row, beside: RowKey, etag: string): Promise<string> {
      const entity = await authenticator.entityOf(row);
      return submitBeside(beside, etag, (transaction) => transaction.upsertEntity(entity, 'Replace'));
    },

    /**
     * Deletes all rows of a range of one partition, in transactions, while another row there is unchanged. Returns that
     * row's new ETag. @throws LostRace
     */
    async clearBeside(range: string, beside: RowKey, unchanged: string): Promise<string> {
      for (let etag = unchanged; ; ) {
        const rows = await queryKeys(range, batchLimit - 1);
        if (rows.length === 0) return etag;
        etag = await submitBeside(beside, etag, (transaction) => {
          for (const { partitionKey, rowKey } of rows) transaction.deleteEntity(partitionKey, rowKey);
        });
      }
    },
  };
}
