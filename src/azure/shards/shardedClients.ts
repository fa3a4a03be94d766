/** The tables of a service whose settings name several storage accounts. */
import type { TableClient } from '../sdk/tables.ts';
import { SettingsError } from '../settings.ts';
import { systemClock } from '../systemClock.ts';
import type { TableRequests } from '../tableConnection.ts';
import { createLayoutReader } from './layoutReader.ts';
import { shardedTable } from './shardedTable.ts';

/**
 * @param accounts the client of a table in each account, in the order of the settings
 * @throws SettingsError when the accounts are not those of the layout. Tables that do not answer refuse later calls.
 */
export async function shardedClients(
  accounts: readonly ((table: string) => TableClient)[],
): Promise<(table: string) => TableRequests> {
  const layout = createLayoutReader(
    accounts.map((clientOf) => clientOf('keywardrings')),
    systemClock,
  );
  await layout.read().catch((error: unknown) => {
    if (error instanceof SettingsError) throw error;
  });
  return (table) =>
    shardedTable(
      table,
      accounts.map((clientOf) => clientOf(table)),
      layout,
    );
}
