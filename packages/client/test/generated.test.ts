/** What the client takes from the document in the repository: the types of the contract, and the version that it speaks. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { typesText } from '../generateTypes.ts';
import { KeywardClient } from '../src/index.ts';
import { anyCredential, keywardDouble, settableClock } from './support.ts';

test('the types of the contract are made of docs/openapi.json: `npm run openapi` writes them', async () => {
  expect(readFileSync(new URL('../src/generated/openapi.d.ts', import.meta.url), 'utf8')).toBe(await typesText());
});

test('the client names the newest version of the API in each call, except in that for public keys, which has none', async () => {
  const document = JSON.parse(readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'));
  const newest = document.components.parameters.ApiVersion.schema.default;
  const clock = settableClock();
  const keyward = keywardDouble(clock);
  const seen = new Map<string, string | null>();
  const fetch: typeof globalThis.fetch = (input, init) => {
    const { pathname, searchParams } = new URL(String(input));
    seen.set(pathname, searchParams.get('api-version'));
    return keyward.fetch(input, init);
  };
  const client = new KeywardClient('https://keyward.example', anyCredential, { fetch, clock });
  const message = await client.encrypt('contoso', Buffer.from('a record'));
  client.close();
  await client.decrypt('contoso', message);
  expect(Object.fromEntries(seen)).toEqual({
    '/api/accounts/contoso/dataKeys/generate': newest,
    '/api/accounts/contoso/dataKeys/unwrap': newest,
    '/api/keyStatus/jwks': null,
  });
});
