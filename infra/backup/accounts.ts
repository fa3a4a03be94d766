/** The storage accounts that a command of the operator names. */
import { TableClient } from '@azure/data-tables';
import { AzureCliCredential, ChainedTokenCredential, ManagedIdentityCredential } from '@azure/identity';
import { CommandError } from './runCommand.ts';

export const credential = new ChainedTokenCredential(new AzureCliCredential(), new ManagedIdentityCredential());

/** The client of a table in each account, in the order of the settings. */
export type Accounts = readonly ((table: string) => TableClient)[];

/**
 * @param tables endpoints, separated by commas. Without them the connection strings in AZURE_STORAGE_CONNECTION_STRING.
 * Undefined: there is neither. @throws CommandError
 */
export function accountsIn(tables: string | undefined): Accounts | undefined {
  const connections = process.env.AZURE_STORAGE_CONNECTION_STRING;
  if (tables === undefined)
    return connections
      ?.split(',')
      .map((one) => (table) => TableClient.fromConnectionString(one, table, { allowInsecureConnection: true }));
  return tables.split(',').map((endpoint) => {
    if (!/^https:\/\//.test(endpoint))
      throw new CommandError(
        `--tables is '${endpoint}', which is not an address. This command prints the address: az storage account show --name <storage account> --query primaryEndpoints.table -o tsv`,
      );
    return (table) => new TableClient(endpoint, table, credential);
  });
}
