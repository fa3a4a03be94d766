/** `npm run shards`: docs/more-storage-accounts.md. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { storedLayout } from '../../src/azure/shards/layoutRows.ts';
import { accountsIn } from '../backup/accounts.ts';
import { CommandError, runCommand } from '../backup/runCommand.ts';
import { moveState } from './move.ts';

const usage = `Usage: npm run shards -- status --tables <table endpoint>,<table endpoint>
       npm run shards -- move --tables <table endpoint>,<table endpoint> [--accounts <number>] [--together <ranges>] [--settle <seconds>]

The table endpoints are those of KEYWARD_TABLES_ENDPOINT and KEYWARD_ADDITIONAL_TABLES_ENDPOINTS, in that order. 'move'
divides the state among all of them, or among the first --accounts of them. The app runs. After an interruption run the
same command again. The command runs as the user of the Azure CLI, or as the managed identity of this machine.`;

/** A whole number from `from` to `to`. */
function numberOf(text: string, name: string, from: number, to: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < from || number > to)
    throw new CommandError(`--${name} is '${text}'. Give a whole number from ${from} to ${to}.`);
  return number;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      tables: { type: 'string' },
      accounts: { type: 'string' },
      together: { type: 'string', default: '16' },
      settle: { type: 'string', default: '60' },
    },
    allowPositionals: true,
  });
  const accounts = accountsIn(values.tables);
  const [verb] = positionals;
  if (accounts === undefined || positionals.length !== 1 || (verb !== 'status' && verb !== 'move'))
    throw new CommandError(usage);
  const clientIn = (account: number, table: string) => {
    const clientOf = accounts[account];
    if (clientOf === undefined) throw new CommandError(usage);
    return clientOf(table);
  };
  if (verb === 'status') {
    const { layout } = (await storedLayout(accounts.map((clientOf) => clientOf('keywardrings')))) ?? {};
    const { owners = [], moving } = layout ?? {};
    for (const [account] of accounts.entries())
      console.log(`account ${account + 1}: ${owners.filter((owner) => owner === account).length} of 256 ranges`);
    console.log(moving === undefined ? 'No range moves.' : `${moving.ranges.length} ranges move.`);
    return;
  }
  await moveState(
    clientIn,
    {
      named: accounts.length,
      accounts: numberOf(values.accounts ?? String(accounts.length), 'accounts', 1, accounts.length),
      together: numberOf(values.together, 'together', 1, 256),
      settleMs: numberOf(values.settle, 'settle', 40, 3600) * 1000,
    },
    { sleep, say: (line) => console.log(line) },
  );
}

await runCommand(main, usage);
