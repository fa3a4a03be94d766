/** Writes saved rows of one partition. */
import { type TableEntity, TableTransaction } from '@azure/data-tables';
import { batchLimit } from '../../src/azure/rowBatches.ts';
import type { TableRequests } from '../../src/azure/tableConnection.ts';

/** Table service: 4 MiB in a transaction. The service adds few bytes to a row. */
const bytesAtOnce = 3 * 1024 * 1024;

/**
 * Each row replaces the one that is there.
 *
 * @param mayWrite called before each request: throws when this process may not write any more
 */
export async function putRows(
  lines: readonly string[],
  client: TableRequests,
  mayWrite: () => void = () => undefined,
): Promise<void> {
  for (let rest = lines; rest.length > 0; ) {
    const some = rest.slice(0, howMany(rest));
    const rows = some.map(rowIn);
    mayWrite();
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

/** With the values that the app sends: the service knows their types without a name of the type. */
function rowIn(line: string): TableEntity {
  const saved = Object.entries<unknown>(JSON.parse(line));
  return Object.fromEntries(saved.map(([name, value]) => [name, nativeOf(value)])) as TableEntity;
}

function nativeOf(saved: unknown): unknown {
  const { type, value } = Object(saved) as { type?: unknown; value?: unknown };
  if (type === 'String') return value;
  if (type === 'Boolean') return String(value) === 'true';
  return type === 'Int32' ? Number(value) : saved;
}

/** The next lines that fit one transaction, at least one. */
function howMany(lines: readonly string[]): number {
  let bytes = 0;
  const tooMany = lines.slice(0, batchLimit).findIndex((line, n) => {
    bytes += Buffer.byteLength(line);
    return n > 0 && bytes > bytesAtOnce;
  });
  return tooMany === -1 ? batchLimit : tooMany;
}
