/** Writes saved rows of one partition. */
import { type TableEntity, TableTransaction } from '@azure/data-tables';
import type { TableRequests } from '../../src/azure/tables.ts';

/** Table service: 100 entities and 4 MiB in a transaction. The service adds few bytes to a row. */
const rowsAtOnce = 100;
const bytesAtOnce = 3 * 1024 * 1024;

/** Each row replaces the one that is there. */
export async function putRows(lines: readonly string[], client: TableRequests): Promise<void> {
  for (let rest = lines; rest.length > 0; ) {
    const some = rest.slice(0, howMany(rest));
    const rows = some.map((line): TableEntity => JSON.parse(line));
    const [only, ...others] = rows;
    if (only !== undefined && others.length === 0) await client.upsertEntity(only, 'Replace');
    else {
      const transaction = new TableTransaction();
      for (const row of rows) transaction.upsertEntity(row, 'Replace');
      await client.submitTransaction(transaction.actions);
    }
    rest = rest.slice(some.length);
  }
}

/** The next lines that fit one transaction, at least one. */
function howMany(lines: readonly string[]): number {
  let bytes = 0;
  const tooMany = lines.slice(0, rowsAtOnce).findIndex((line, n) => {
    bytes += Buffer.byteLength(line);
    return n > 0 && bytes > bytesAtOnce;
  });
  return tooMany === -1 ? rowsAtOnce : tooMany;
}
