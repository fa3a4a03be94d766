/**
 * The cost of each operation in table transactions, as docs/costs.md says, counted on the wire, including the gate's
 * reads.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { expect, test } from 'vitest';
import { documentedCost } from '../documentedCosts.ts';
import { got, newAccount, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const world = useStack();

/**
 * Counts a batch as one. The overview is written in the background, and has its own costs
 * (test/overview/changeCost.test.ts).
 */
async function cost(status: number, answer: () => ReturnType<typeof world.api>): Promise<number> {
  const { host } = new URL(world.stack.azurite.tableUrl);
  let count = 0;
  const counted = (message: unknown) => {
    const { request } = message as { request: ClientRequest };
    if (request.getHeader('host') === host && !isOfOverview(request)) count += 1;
  };
  subscribe('http.client.request.start', counted);
  try {
    await got(status, answer());
    return count;
  } finally {
    unsubscribe('http.client.request.start', counted);
  }
}

const isOfOverview = (request: ClientRequest) => String(request.getHeader('user-agent')).startsWith('keywardoverview');

test('operations cost the table transactions of docs/costs.md', async () => {
  const { api } = world;
  const [first, second] = [await vaultWithKey(world, 'costs-kv'), await vaultWithKey(world, 'costs-2-kv')];
  // From here on, rings, tables and the vaults' tokens are loaded.
  await got(201, api('PUT', '/api/accounts/warm', withCustomerKey('contoso', second)));
  await got(201, api('PUT', '/api/accounts/warm/tokenKeys/k', { properties: { keyValue: 'AAAA' } }));

  const put = (name: string, body: unknown) => cost(201, () => api('PUT', `/api/accounts/${name}`, body));
  expect([await put('costs-s', newAccount())]).toEqual(documentedCost('PUT, new, system key'));
  expect([await put('costs-c', withCustomerKey('contoso', first))]).toEqual(
    documentedCost('PUT, new, customer key, first of its vault'),
  );
  expect([await put('costs-d', withCustomerKey('contoso', first))]).toEqual(
    documentedCost('PUT, new, customer key that is watched already'),
  );

  const both = async (status: number, call: (at: string) => ReturnType<typeof api>) => [
    await cost(status, () => call('/api/accounts/costs-s')),
    await cost(status, () => call('/api/accounts/costs-c')),
  ];
  expect(await both(200, (at) => api('GET', at))).toEqual(documentedCost('GET, system key / customer key'));
  expect(await both(200, (at) => api('PATCH', at, { tags: { a: 'b' } }))).toEqual(
    documentedCost('PATCH of tags, system key / customer key'),
  );
  const secret = { properties: { keyValue: 'AAAA' } };
  expect(await both(201, (at) => api('PUT', `${at}/tokenKeys/k`, secret))).toEqual(documentedCost('secret: PUT'));
  expect(await both(202, (at) => api('DELETE', at))).toEqual(
    documentedCost('DELETE that begins a waiting window, system key / customer key'),
  );
  for (const name of ['costs-s', 'costs-c']) await got(200, api('POST', `/api/accounts/${name}/recover`));
  expect(await both(200, (at) => api('GET', `${at}/tokenKeys`))).toEqual(
    documentedCost('secret: GET, LIST of a page, system key / customer key'),
  );
  expect(await both(200, (at) => api('DELETE', `${at}/tokenKeys/k`))).toEqual(documentedCost('secret: DELETE'));
  expect(await both(200, (at) => api('DELETE', at))).toEqual(documentedCost('DELETE, system key / customer key'));
});
