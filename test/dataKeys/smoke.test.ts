import { expect, it } from 'vitest';
import { KeywardClient } from '@keyward/client';
import { operatorToken } from '../../src/local/operator.ts';
import { got, newAccount, useStack, vaultWithKey, withCustomerKey } from '../app/support.ts';

const world = useStack({ settings: { KEYWARD_AUTH: 'entra' } } as never);

it('smoke', async () => {
  const { api, stack } = world;
  await got(201, api('PUT', '/api/accounts/plain', newAccount()));
  const key = await vaultWithKey(world, 'smoke-vault');
  await got(201, api('PUT', '/api/accounts/mine', withCustomerKey('contoso', key)));
  for (const account of ['plain', 'mine']) {
    const made = await got(200, api('POST', `/api/accounts/${account}/dataKeys/generate`, { count: 2, context: { a: 'b' } }));
    console.log(JSON.stringify(made.body), [...made.headers]);
    const [one] = made.body.value;
    const un = await got(200, api('POST', `/api/accounts/${account}/dataKeys/unwrap`, { value: [{ wrapped: one.wrapped, context: { a: 'b' } }, { wrapped: one.wrapped }] }));
    console.log(JSON.stringify(un.body));
    expect(un.body.value[0].plaintext).toBe(one.plaintext);
    const rew = await got(200, api('POST', `/api/accounts/${account}/dataKeys/rewrap`, { value: [{ wrapped: one.wrapped, context: { a: 'b' } }] }));
    const status = await got(200, api('GET', `/api/accounts/${account}/keyStatus`));
    console.log(rew.body, status.headers.get('etag'));
    await got(304, api('GET', `/api/accounts/${account}/keyStatus`, undefined, { 'if-none-match': status.headers.get('etag') ?? '' }));
    console.log((await got(200, api('GET', `/api/operator/accounts/${account}/dataKeyGenerations`))).body);
  }
  console.log((await got(200, api('GET', '/api/keyStatus/jwks'))).body);
  const client = new KeywardClient(stack.host.url, { getToken: async () => ({ token: await operatorToken(stack.identity), expiresOnTimestamp: Date.now() + 3600_000 }) });
  const message = await client.encrypt('mine', Buffer.from('hello'), { x: 'y' });
  expect(Buffer.from(await client.decrypt('mine', message, { x: 'y' })).toString()).toBe('hello');
});
