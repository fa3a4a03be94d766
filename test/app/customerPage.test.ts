/** The customer's calls over HTTP: what a link opens, and that it opens nothing else. */
import { expect, test } from 'vitest';
import { routes } from '../../src/functions/routes.ts';
import { caller } from '../../src/local/client.ts';
import { appPrincipalId } from '../../src/local/operator.ts';
import { got, refused, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const world = useStack();

async function linkOf(owner: string, input: Record<string, unknown> = {}) {
  const path = `/api/operator/owners/${owner}/links`;
  const { body } = await got(201, world.api('POST', path, input));
  const token = new URL(body.address).hash.slice(1);
  return { id: body.id as string, path, api: caller(world.stack.host.url, { authorization: `Bearer ${token}` }) };
}

test('a link shows the keys of its owner with the bounds, runs the dry run, and names no other owner', async () => {
  const [own, foreign] = [await vaultWithKey(world, 'shown-kv'), await vaultWithKey(world, 'hidden-kv')];
  await got(201, world.api('PUT', '/api/accounts/shown', withCustomerKey('shown', own)));
  await got(201, world.api('PUT', '/api/accounts/hidden', withCustomerKey('hidden', foreign)));
  const { api } = await linkOf('shown');
  const { body } = await got(200, api('GET', '/api/customer/keys'));
  expect(body).toMatchObject({
    owner: 'shown',
    bounds: { disabledSeconds: 96, deletedSeconds: 126, permissionRemovedSeconds: 156, releasedSeconds: 370 },
    value: [{ key: own, status: 'Accessible', accounts: 1, versions: [{ inUse: true, safeToDisable: false }] }],
  });
  expect(JSON.stringify(body)).not.toContain('hidden');
  expect((await got(200, api('GET', '/api/customer/receipts'))).body.value).toEqual([]);
  const run = (keyIdentifier: string) => api('POST', '/api/customer/dryRun', { keyIdentifier, location: 'westeurope' });
  expect((await got(200, run(own))).body).toMatchObject({ valid: true });
  const other = (await got(200, run(foreign))).body;
  expect(other.valid).toBe(false);
  expect(JSON.stringify(other)).not.toContain('"hidden"');
});

test('a link answers with the plan of a key, and with what would happen if the customer changed it', async () => {
  const own = await vaultWithKey(world, 'planned-kv');
  const { api } = await linkOf('planned');
  const plan = (query: string) => api('GET', `/api/customer/plan?${query}`);
  await refused(400, 'InvalidParameter', plan(''));
  await refused(400, 'InvalidParameter', plan(`keyIdentifier=${own}`));
  await refused(400, 'InvalidParameter', plan('keyIdentifier=media&location=westeurope'));
  const first = (await got(200, plan(`keyIdentifier=${own}&location=westeurope`))).body;
  expect(first).toMatchObject({ keyIdentifier: own, region: 'westeurope', principalId: appPrincipalId });
  await got(201, world.api('PUT', '/api/accounts/planned', withCustomerKey('planned', own)));
  const { az, ...second } = (await got(200, plan(`keyIdentifier=${own}`))).body;
  expect({ ...second, az }).toEqual(first);
  expect(az.at(-1).commands[0]).toContain(`--assignee-object-id ${appPrincipalId} `);
  const forecast = (act: string, keyIdentifier = own) => api('POST', '/api/customer/whatIf', { act, keyIdentifier });
  const deleted = (await got(200, forecast('deleteKey'))).body;
  expect(deleted).toMatchObject({ effect: 'blocked', withinSeconds: 126, accounts: [{ name: 'planned', key: own }] });
  await refused(400, 'InvalidRequestContent', forecast('disableVersion'));
  const { api: stranger } = await linkOf('stranger');
  await refused(404, 'NotFound', stranger('POST', '/api/customer/whatIf', { act: 'deleteKey', keyIdentifier: own }));
});

test('a link that names an identity of another tenant plans and checks the first key through it', async () => {
  const tenantId = 'dddddddd-0000-4000-8000-000000000001';
  const client = 'cccccccc-0000-4000-8000-000000000001';
  const userAssignedIdentity =
    '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/speaker';
  const federated = { federatedIdentityClientId: client, tenantId };
  const identity = { useSystemAssignedIdentity: false, userAssignedIdentity, ...federated };
  const { api } = await linkOf('abroad', { identity });
  const key = 'https://abroad-kv.vault.azure.net/keys/media';
  const { body } = await got(200, api('GET', `/api/customer/plan?keyIdentifier=${key}&location=westeurope`));
  expect(body.application).toMatchObject({ clientId: client, tenantId });
  expect(body.principalId).toBeUndefined();
  const wrong = { identity: { useSystemAssignedIdentity: true, ...federated } };
  await refused(400, 'InvalidRequestContent', world.api('POST', '/api/operator/owners/abroad/links', wrong));
});

test('a position of another owner in a list is refused', async () => {
  const { api } = await linkOf('paged');
  const token = Buffer.from(JSON.stringify(['hidden', ''])).toString('base64url');
  for (const list of ['keys', 'receipts'])
    await refused(400, 'InvalidParameter', api('GET', `/api/customer/${list}?$skipToken=${token}`));
});

test('a link opens no call but those below /api/customer', async () => {
  const { api } = await linkOf('shut-out');
  for (const { method, path, scope } of routes) {
    if (scope === 'customer' || scope === 'public') continue;
    const url = `/api/${path.replace(/\{[^}]+\}/g, 'nothing')}`;
    const answer = await api(method, url, method === 'GET' || method === 'DELETE' ? undefined : {});
    expect({ path, status: answer.status }).toEqual({ path, status: 401 });
  }
});

test('a call without a link, or with an operator’s credential alone, is refused; so is a revoked link', async () => {
  const { api, path, id } = await linkOf('revoked');
  await refused(401, 'AuthenticationFailed', world.api('GET', '/api/customer/keys'));
  await got(200, api('GET', '/api/customer/keys'));
  expect((await got(200, world.api('GET', path))).body.value).toMatchObject([{ id, owner: 'revoked' }]);
  await got(200, world.api('DELETE', `${path}/${id}`));
  await got(204, world.api('DELETE', `${path}/${id}`));
  await refused(401, 'AuthenticationFailed', api('GET', '/api/customer/keys'));
  expect((await got(200, world.api('GET', path))).body.value).toEqual([]);
});

test('a link lasts at most seven days', async () => {
  const path = '/api/operator/owners/week/links';
  await got(201, world.api('POST', path, { hours: 168 }));
  await refused(400, 'InvalidRequestContent', world.api('POST', path, { hours: 169 }));
});
