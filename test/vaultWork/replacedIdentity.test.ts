import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { stateOf } from '../../src/core/accounts/account.ts';
import { renderAccount } from '../../src/functions/http/accounts/accountJson.ts';
import { appPrincipalId, homeTenantId } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';

const world = useLab();
const minute = 60_000;
/** The seconds that a token of the system-assigned identity is valid here. */
const lifetime = 3;

/** As GET of the account returns it. */
async function shown(name: string) {
  const { lab } = world;
  const { state, encryption } = renderAccount(await lab.view(name), lab.service.policy).properties;
  if (!('status' in encryption)) throw new Error('The account has a customer key.');
  return { state, ...encryption };
}

test('INV-2: when the app’s identity is created again, all accounts stay Enabled, name the principal to grant, and return with the grant', async () => {
  const { lab } = world;
  const issuer = keyVaultControl(lab.identityUrl);
  await issuer('PUT', '/lifetime', { msi: lifetime });
  const names = ['replaced-a', 'replaced-b'];
  for (const name of names) await lab.account(name, name, await lab.vaultWithKey(name));
  await lab.advance(2 * minute);
  expect(await shown('replaced-a')).toMatchObject({ served: 'yes', identity: { principalId: appPrincipalId } });

  const identities = await issuer<{ name: string; objectId: string }[]>('GET', '/identities');
  const { name = '' } = identities.find(({ objectId }) => objectId === appPrincipalId) ?? {};
  await issuer('DELETE', `/identities/${name}`);
  const replaced = { tenantId: homeTenantId, kind: 'systemAssigned' };
  const { objectId, clientId } = await issuer<{ objectId: string; clientId: string }>(
    'PUT',
    `/identities/${name}`,
    replaced,
  );
  await sleep(lifetime * 1000 + 500);
  await lab.advance(10 * minute);
  for (const one of names) {
    const account = await shown(one);
    expect(account).toMatchObject({ state: 'Enabled', status: 'Unreachable', cause: 'IdentityReplaced' });
    expect(account.identity).toMatchObject({ principalId: objectId, clientId });
    expect(account.remedy).toContain(`--assignee-object-id ${objectId}`);
  }

  const grant = { permissions: 'cryptoServiceEncryptionUser' };
  await lab.keyVault('PUT', `/vaults/keyward-operator/grants/${objectId}`, grant);
  await lab.advance(10 * minute);
  for (const one of names) expect(await shown(one)).toMatchObject({ state: 'Enabled', cause: 'IdentityReplaced' });

  await lab.keyVault('PUT', `/vaults/replaced-a/grants/${objectId}`, grant);
  await lab.advance(2 * minute);
  expect(await shown('replaced-a')).toMatchObject({ state: 'Enabled', status: 'Accessible', served: 'yes' });
  expect(await shown('replaced-b')).toMatchObject({ state: 'Enabled', cause: 'IdentityReplaced', served: 'no' });

  // From here on the customer has granted this principal, so removing the grant is a revocation.
  await lab.keyVault('DELETE', `/vaults/replaced-a/grants/${objectId}`);
  await lab.advance(3 * minute);
  expect(stateOf(await lab.view('replaced-a'))).toBe('CustomerKeyInaccessible');
  expect(stateOf(await lab.view('replaced-b'))).toBe('Enabled');
});
