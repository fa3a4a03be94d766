/**
 * The cost of a reveal over HTTP on the embedded stack: calls to the tables and to the vault, for an account under a
 * customer key with 50,000 audit entries; and a page of 100 content keys in one call beside one key.
 *
 * The process has a lease, and read the account's record within the last seconds. Once in `lookSpacingSeconds` (10 s) a
 * process reads the record again, and that reveal has one call more.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { TableClient, TableTransaction } from '@azure/data-tables';
import pLimit from 'p-limit';
import { type Caller, caller } from '../../src/local/client.ts';
import { location } from '../../src/local/operator.ts';
import { type Stack, startStack } from '../../src/local/stack.ts';
import type { Bench } from '../report.ts';
import { keyPool } from '../seed.ts';
import { median, timed } from '../timing.ts';

const auditEntries = 50_000;
const reveals = 100;
const contentKeys = 100;
const rounds = 31;
const vault = 'bench-secrets';
const keyId = (n: number): string => `9d5d2b1e-6c1f-4f0a-8c53-${String(n).padStart(12, '0')}`;

const calls: Bench = async (report) => {
  const stack = await startStack({ keyPool, timers: false, onLog: () => undefined });
  try {
    const api = caller(stack.host.url, { 'x-functions-key': stack.host.keys.function });
    await prepare(stack, api, report.progress);
    const one = `/api/accounts/bench/contentKeys/${keyId(7)}/reveal`;

    report.progress('revealing one at a time');
    await expected(api, 'POST', one);
    const tables = countTableCalls(stack);
    const before = { tables: tables(), vault: await vaultCalls(stack) };
    for (let n = 0; n < reveals; n++) await expected(api, 'POST', one);
    const after = { tables: tables(), vault: await vaultCalls(stack) };
    report.figure('secrets.revealTableCalls', (after.tables - before.tables) / reveals, 'calls', { atMost: 2 });
    report.figure('secrets.revealKeyVaultCalls', (after.vault - before.vault) / reveals, 'calls', { exactly: 0 });

    report.progress('a page of 100 beside one');
    const [singles, pages]: [number[], number[]] = [[], []];
    for (let n = 0; n < rounds; n++) {
      singles.push(await timed(() => expected(api, 'POST', one)));
      pages.push(await timed(() => expected(api, 'POST', '/api/accounts/bench/contentKeys/reveal?$top=100')));
    }
    const [single, page] = [median(singles), median(pages)];
    report.progress(`one ${single.toFixed(1)} ms, a hundred ${page.toFixed(1)} ms`);
    report.figure('secrets.revealPage', page / single, 'times one', { atMost: 6 });
  } finally {
    await stack.stop();
  }
};

async function prepare(stack: Stack, api: Caller, progress: (text: string) => void): Promise<void> {
  await stack.createCustomerVault(vault);
  await stack.keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048 });
  const keyVaultProperties = { keyIdentifier: `https://${vault}.vault.azure.net/keys/cmk` };
  const encryption = { type: 'CustomerKey', keyVaultProperties };
  const account = { location, properties: { owner: 'contoso', encryption } };
  const { body } = await expected(api, 'PUT', '/api/accounts/bench', account);
  progress(`storing ${contentKeys} content keys`);
  for (let n = 0; n < contentKeys; n++)
    await expected(api, 'PUT', `/api/accounts/bench/contentKeys/${keyId(n)}`, { properties: { length: 16 } });
  progress(`storing ${auditEntries} audit entries`);
  await storeAuditEntries(stack, body.properties.accountId);
}

/** Writes rows in the form of the account's own entries straight to its partition. */
async function storeAuditEntries(stack: Stack, instanceId: string): Promise<void> {
  const options = { allowInsecureConnection: true };
  const table = TableClient.fromConnectionString(stack.azurite.connectionString, 'keywardaccounts', options);
  const limit = pLimit(4);
  const batches = Array.from({ length: auditEntries / 100 }, (_, batch) =>
    limit(() => {
      const transaction = new TableTransaction();
      for (let n = 0; n < 100; n++) {
        const rowKey = `audit:${instanceId}:${String(2 + batch * 100 + n).padStart(10, '0')}`;
        transaction.createEntity({
          partitionKey: 'bench',
          rowKey,
          v: 1,
          data: JSON.stringify({ filler: 'x'.repeat(200) }),
        });
      }
      return table.submitTransaction(transaction.actions);
    }),
  );
  await Promise.all(batches);
}

/**
 * Counts the requests of this process, where the app runs too, to the table service, without those of the overview in
 * the background.
 */
function countTableCalls(stack: Stack): () => number {
  const endpoint = /TableEndpoint=([^;]+)/.exec(stack.azurite.connectionString)?.[1];
  const { host } = new URL(endpoint ?? '');
  let count = 0;
  subscribe('http.client.request.start', (message) => {
    const { request } = message as { request: ClientRequest };
    const isOfOverview = String(request.getHeader('user-agent')).startsWith('keywardoverview');
    if (request.getHeader('host') === host && !isOfOverview) count += 1;
  });
  return () => count;
}

async function vaultCalls(stack: Stack): Promise<number> {
  return (await stack.keyVault<{ requests: unknown[] }>('GET', `/requests?vault=${vault}`)).requests.length;
}

async function expected(api: Caller, method: string, path: string, body?: unknown) {
  const answer = await api(method, path, body);
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

export default calls;
