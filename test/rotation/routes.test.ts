/** The operator's calls about keys, as a caller sees them on the built app. */
import { expect, test } from 'vitest';
import { until } from '../../src/local/client.ts';
import { accountOf, got, refused, rotate, useStack, vaultWithKey, versionOf, withCustomerKey } from '../app/support.ts';

const world = useStack();
const usage = '/api/operator/keys/usage';
const holders = '/api/operator/keys/accounts';
const rewraps = '/api/operator/rewraps';

test('the operator reads usage, lists accounts of a version in pages and forces re-wraps, from one version to the next', async () => {
  const { api } = world;
  const key = await vaultWithKey(world, 'keys-kv');
  const query = `?keyIdentifier=${encodeURIComponent(key)}`;
  for (const name of ['keys-a', 'keys-b'])
    await got(201, api('PUT', `/api/accounts/${name}`, withCustomerKey('contoso', key)));
  const old = await versionOf(api, 'keys-a');

  const first = await got(200, api('GET', usage + query));
  expect(first.body).toMatchObject({ keyIdentifier: key, versions: [{ version: old, accounts: 2, pinned: 0 }] });
  expect(Date.parse(first.body.asOf)).toBeGreaterThan(0);

  const page = await got(200, api('GET', `${holders}${query}&version=${old}&$top=1`));
  expect(page.body.value).toMatchObject([{ account: 'keys-a', owner: 'contoso', follows: true }]);
  const { pathname, search } = new URL(page.body.nextLink);
  const rest = await got(200, api('GET', pathname + search));
  expect(rest.body.value).toMatchObject([{ account: 'keys-b' }]);

  const next = await rotate(world, 'keys-kv');
  const forced = await got(200, api('POST', rewraps, { account: 'keys-a' }));
  expect(forced.body.properties.encryption.keyVaultProperties.currentKeyIdentifier).toBe(`${key}/${next}`);

  const accepted = await got(202, api('POST', rewraps, { keyIdentifier: key }));
  const location = new URL(accepted.headers.get('location') ?? '');
  await until(
    'all on the newest version',
    () => got(200, api('GET', location.pathname + location.search)),
    ({ body }) =>
      body.versions.some((one: { version: string; accounts: number }) => one.version === next && one.accounts === 2),
  );
  expect((await accountOf(api, 'keys-b')).properties.encryption.warnings).toEqual([]);
});

test.each([
  ['GET', usage, undefined, 400, 'InvalidParameter'],
  ['GET', `${usage}?keyIdentifier=nonsense`, undefined, 400, 'KeyIdentifierMalformed'],
  ['GET', `${usage}?keyIdentifier=https://absent-kv.vault.azure.net/keys/cmk`, undefined, 404, 'NotFound'],
  [
    'GET',
    `${holders}?keyIdentifier=https://absent-kv.vault.azure.net/keys/cmk&version=1`,
    undefined,
    400,
    'InvalidParameter',
  ],
  ['POST', rewraps, {}, 400, 'InvalidRequestContent'],
  ['POST', rewraps, { account: 'not-there' }, 404, 'AccountNotFound'],
] as const)('%s %s with %j is refused: %i %s', async (method, path, body, status, code) => {
  await refused(status, code, world.api(method, path, body));
});
