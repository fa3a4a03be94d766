/** `npm run backup`: docs/backup-and-restore.md. */
import { parseArgs } from 'node:util';
import { throughEmulator } from '../../src/azure/emulators.ts';
import { shardedClients } from '../../src/azure/shards/shardedClients.ts';
import { accountsIn, credential } from './accounts.ts';
import { type BackupKey, createBackupKey } from './backupKey.ts';
import { restore } from './restore.ts';
import type { Clients } from './rows.ts';
import { CommandError, runCommand } from './runCommand.ts';
import { save } from './save.ts';

const usage = `Usage: npm run backup -- save <folder> --tables <table endpoint> --key <key identifier>
       npm run backup -- restore <folder> --tables <table endpoint> --key <key identifier>

The table endpoint is https://<storage account>.table.core.windows.net; several, in the order of the settings, are
separated by commas. The key signs the backup: it is
https://<vault>.vault.azure.net/keys/backup in the operator's vault. The command runs as the user of the Azure CLI, or as
the managed identity of this machine.
Without --tables the connection string in AZURE_STORAGE_CONNECTION_STRING is used.`;

const verbs: Readonly<Record<string, typeof save>> = { save, restore };

async function clientsFor(tables: string | undefined): Promise<Clients> {
  const accounts = accountsIn(tables);
  const [first, ...more] = accounts ?? [];
  if (first === undefined) throw new CommandError(usage);
  return more.length === 0 ? first : shardedClients([first, ...more]);
}

function keyFor(identifier: string | undefined): BackupKey {
  if (identifier === undefined) throw new CommandError(usage);
  // Development only, as for the app.
  const emulator = process.env.KEYWARD_KEY_VAULT_EMULATOR;
  if (emulator === undefined) return createBackupKey(identifier, credential);
  return createBackupKey(identifier, credential, throughEmulator(new URL(identifier).origin, emulator));
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { tables: { type: 'string' }, key: { type: 'string' } },
    allowPositionals: true,
  });
  const [verb = '', folder, ...more] = positionals;
  const run = verbs[verb];
  if (run === undefined || folder === undefined || more.length > 0) throw new CommandError(usage);
  await run(await clientsFor(values.tables), folder, keyFor(values.key), (line) => console.log(line));
}

await runCommand(main, usage);
