/** `npm run backup`: docs/deploy.md, "Back up and restore". */
import { parseArgs } from 'node:util';
import { TableClient } from '@azure/data-tables';
import { AzureCliCredential } from '@azure/identity';
import { restore } from './restore.ts';
import { BackupError, type Clients } from './rows.ts';
import { save } from './save.ts';

const usage = `Usage: npm run backup -- save <folder> --tables <table endpoint>
       npm run backup -- restore <folder> --tables <table endpoint>

The table endpoint is https://<storage account>.table.core.windows.net; you are who is logged in to the Azure CLI.
Without --tables the connection string in AZURE_STORAGE_CONNECTION_STRING is used.`;

const verbs: Readonly<Record<string, typeof save>> = { save, restore };

function clientsFor(tables: string | undefined): Clients {
  const connection = process.env.AZURE_STORAGE_CONNECTION_STRING;
  if (tables !== undefined) {
    if (!/^https:\/\//.test(tables))
      throw new BackupError(
        `--tables is '${tables}', which is not an address. This command prints the address: az storage account show --name <storage account> --query primaryEndpoints.table -o tsv`,
      );
    const credential = new AzureCliCredential();
    return (name) => new TableClient(tables, name, credential);
  }
  if (connection === undefined) throw new BackupError(usage);
  return (name) => TableClient.fromConnectionString(connection, name, { allowInsecureConnection: true });
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { tables: { type: 'string' } }, allowPositionals: true });
  const [verb = '', folder, ...more] = positionals;
  const run = verbs[verb];
  if (run === undefined || folder === undefined || more.length > 0) throw new BackupError(usage);
  await run(clientsFor(values.tables), folder, (line) => console.log(line));
}

try {
  await main();
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  // An error of the SDK contains the request, so print its message only.
  console.error(isUsage ? usage : error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
