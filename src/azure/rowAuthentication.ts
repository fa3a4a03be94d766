/**
 * Rows of one table are authenticated when they are written and verified on every read (rowForm.ts). A row that fails
 * is reported.
 */

import { DamagedRow, type RowAddress } from '../core/base/damagedRow.ts';
import type { Keks } from '../core/crypto/keks.ts';
import { authenticValue, damaged, type Entity, entityOf, plainEntityOf, type Row, type RowKey } from './rowForm.ts';
import type { TableEntity } from './sdk/tables.ts';
import type { TableName } from './tableNames.ts';

/** What authenticates the rows of all tables. */
export interface RowAuthentication {
  /** The at-rest ring. @throws Unavailable */
  keks(): Promise<Keks>;
  /** The audit ring. @throws Unavailable */
  auditKeks(): Promise<Keks>;
  /** A row was read that is not as Keyward wrote it. */
  report(address: RowAddress): void;
  /** The Table service refused what Keyward sent: a fault of Keyward. `code` is a word of the service. */
  rejected(table: string, code: string): void;
}

export class RowAuthenticator {
  readonly #name: TableName;
  readonly #authentication: RowAuthentication;

  constructor(name: TableName, authentication: RowAuthentication) {
    this.#name = name;
    this.#authentication = authentication;
  }

  /** The process's at-rest ring. @throws Unavailable */
  keks(): Promise<Keks> {
    return this.#authentication.keks();
  }

  /** The process's audit ring. @throws Unavailable */
  auditKeks(): Promise<Keks> {
    return this.#authentication.auditKeks();
  }

  /** The row as it is written. @throws Unavailable */
  async entityOf(row: Row): Promise<TableEntity> {
    return row.isPlain ? plainEntityOf(row) : entityOf(this.#name, row, await this.keks());
  }

  /** Undefined: the row is damaged. */
  valueOf<T>(key: RowKey, entity: Entity, keks: Keks): T | undefined {
    const value = authenticValue<T>(this.#addressOf(key), entity, keks);
    if (value !== damaged) return value;
    this.report(key);
    return undefined;
  }

  /** Reports a row that a reader has found damaged, and returns the error that names it. */
  report(key: RowKey): DamagedRow {
    const error = this.damagedRow(key);
    this.#authentication.report(error.address);
    return error;
  }

  damagedRow(key: RowKey): DamagedRow {
    return new DamagedRow(this.#addressOf(key));
  }

  #addressOf({ partitionKey, rowKey }: RowKey): RowAddress {
    return { table: this.#name, partitionKey, rowKey };
  }
}
