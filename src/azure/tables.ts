/**
 * Azure Table Storage for the adapters in this folder. Limits (Table service data model): 64 KiB for a property, 1 MiB for
 * an entity.
 */

import type { RenewedPage } from '../core/reseal/ports.ts';
import { renewPage } from './renewPage.ts';
import { type RowAuthentication, RowAuthenticator } from './rowAuthentication.ts';
import { createRowBatches, type RowBatches } from './rowBatches.ts';
import { createRowReads, type RowReads } from './rowReads.ts';
import { createRowWrites, type RowWrites } from './rowWrites.ts';
import { type Refusal, TableConnection, type TableRequests } from './tableConnection.ts';
import type { TableName } from './tableNames.ts';

export interface Table
  extends RowReads,
    RowWrites,
    RowBatches,
    Pick<TableConnection, 'name' | 'queryEntities' | 'refuseOthers'>,
    Pick<RowAuthenticator, 'keks' | 'auditKeks' | 'report'> {
  renewPage(generation: number, after?: string): Promise<RenewedPage>;
}

export type OpenTable = (name: TableName) => Table;

export function openTables(
  clientOf: (tableName: string) => TableRequests,
  authentication: RowAuthentication,
): OpenTable {
  const tables = new Map<TableName, Table>();
  const refusal: Refusal = { reason: undefined };
  const openTable = (name: TableName): Table => {
    const rejected = (table: string, code: string) => authentication.rejected(table, code);
    const connection = new TableConnection(name, () => clientOf(`keyward${name}`), rejected, refusal);
    const authenticator = new RowAuthenticator(name, authentication);
    const reads = createRowReads(connection, authenticator);
    return {
      name,
      ...reads,
      ...createRowWrites(connection, authenticator),
      ...createRowBatches(connection, authenticator, reads),
      queryEntities: (filter, limit) => connection.queryEntities(filter, limit),
      refuseOthers: (reason) => connection.refuseOthers(reason),
      keks: () => authenticator.keks(),
      auditKeks: () => authenticator.auditKeks(),
      report: (key) => authenticator.report(key),
      renewPage: (generation, after) => renewPage(connection, authenticator, generation, after),
    };
  };
  return (name) => {
    const table = tables.get(name) ?? openTable(name);
    tables.set(name, table);
    return table;
  };
}
