/** The names of accounts over the answers that the Table service gives for a range of partitions. */
import { TableClient } from '@azure/data-tables';
import { expect, test } from 'vitest';
import { createTableEmulator } from '../../packages/table-emulator/src/tableEmulator.ts';
import { createDirectory } from '../../src/azure/directoryTable.ts';
import { openTables } from '../../src/azure/tables.ts';
import { rowAuthentication } from './rows.ts';

const place = (subscription: string, resourceGroup: string) => ({
  subscriptionId: `${subscription.repeat(8)}-0000-4000-8000-000000000000`,
  resourceGroup,
});

/**
 * A query over partitions can end at a server's boundary: a page has fewer entities than it may have, or none, and a
 * continuation ("Query timeout and pagination" of the Table service).
 */
function openDirectory(): { directory: ReturnType<typeof createDirectory>; queries: () => number } {
  const tables = createTableEmulator();
  let queries = 0;
  const { httpClient, connectionString } = tables;
  const client: typeof httpClient = {
    async sendRequest(request) {
      const isQuery = request.method === 'GET' && request.url.includes('()');
      if (!isQuery) return httpClient.sendRequest(request);
      queries += 1;
      const url = new URL(request.url);
      // Every third query reads nothing: it answers with the position that it was sent.
      if (queries % 3 === 2 && url.searchParams.has('NextPartitionKey')) {
        const answer = await httpClient.sendRequest(request);
        for (const part of ['PartitionKey', 'RowKey'])
          answer.headers.set(`x-ms-continuation-next${part}`, url.searchParams.get(`Next${part}`) ?? '');
        return { ...answer, bodyAsText: '{"value":[]}' };
      }
      if (Number(url.searchParams.get('$top')) > 2) url.searchParams.set('$top', '2');
      request.url = String(url);
      return httpClient.sendRequest(request);
    },
  };
  const options = { httpClient: client, retryOptions: { maxRetries: 0 } };
  const open = openTables(
    (name) => TableClient.fromConnectionString(connectionString, name, options),
    rowAuthentication(),
  );
  return { directory: createDirectory(open), queries: () => queries };
}

async function pagesOf(page: (after?: string) => Promise<{ names: string[]; next?: string }>): Promise<string[][]> {
  const pages: string[][] = [];
  for (let after: string | undefined, isLast = false; !isLast; isLast = after === undefined) {
    const { names, next } = await page(after);
    pages.push(names);
    after = next;
  }
  return pages;
}

test('LIST returns whole pages of names in order where the Table service returns short and empty ones', async () => {
  const { directory, queries } = openDirectory();
  const names = ['aa', 'aaa', 'aaa-b', 'aaaa', 'b-1', 'b1', 'bb', 'c00', 'z-z', 'zzz'];
  const here = place('5', 'Media');
  for (const name of names.toReversed()) {
    await directory.put(name);
    await directory.put(name, here);
    await directory.put(name, place('6', 'media'));
  }
  await directory.put('other', place('5', 'media-2'));
  await directory.put('other', place('5', 'med'));
  const order = names.toSorted();
  const inFours = [order.slice(0, 4), order.slice(4, 8), order.slice(8)];
  expect(await pagesOf((after) => directory.page(4, after))).toEqual(inFours);
  expect(queries()).toBeGreaterThan(6);
  expect(await pagesOf((after) => directory.pageOf(here, 4, after))).toEqual(inFours);
  const { subscriptionId } = here;
  // By group and name: a hyphen is before the end of a group's name.
  const byGroup = ['other', 'other', ...order];
  expect((await pagesOf((after) => directory.pageOf({ subscriptionId }, 5, after))).flat()).toEqual(byGroup);
});

test('the daily pass reads every row of the directory once: of all accounts, and of each subscription', async () => {
  const { directory } = openDirectory();
  await directory.put('one');
  await directory.put('two');
  await directory.put('one', place('5', 'media'));
  await directory.put('two', place('6', 'other'));
  const rows: unknown[] = [];
  for (let after: string | undefined, isLast = false; !isLast; isLast = after === undefined) {
    const page = await directory.rows(1, after);
    rows.push(...page.rows.map(({ name, place: at }) => [name, at?.resourceGroup]));
    after = page.next;
  }
  expect(rows).toEqual([
    ['one', undefined],
    ['two', undefined],
    ['one', 'media'],
    ['two', 'other'],
  ]);
});
