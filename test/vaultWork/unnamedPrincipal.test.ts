import { expect, test } from 'vitest';
import { stateOf, verdictOn } from '../../src/core/accounts/account.ts';
import type { Observed } from '../../src/core/customerKey/ports.ts';
import { confirmDenials, ownIdentities } from '../../src/core/vaultWork/ownIdentity.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { appPrincipalId } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';

/** Neither the token nor the refusal names the caller, and the settings name the earlier principal. */
const unnamed = <A extends { readonly observed: Observed }>(answer: A): A => ({
  ...answer,
  observed: { ...answer.observed, principal: { principalId: appPrincipalId }, isPrincipalAssumed: true },
});
const world = useLab({
  keyVault: (real) => ({
    ...real,
    describe: async (...about) => unnamed(await real.describe(...about)),
    unwrap: async (...about) => unnamed(await real.unwrap(...about)),
  }),
});
const minute = 60_000;
const identity = { useSystemAssignedIdentity: true } as const;
const operator = { kind: 'principal', id: 'operator' } as const;

async function accounts(...names: string[]): Promise<void> {
  const { lab } = world;
  for (const name of names) await lab.account(name, name, await lab.vaultWithKey(name));
  await lab.advance(2 * minute);
}
const deny = (name: string) => world.lab.keyVault('DELETE', `/vaults/${name}/grants/${appPrincipalId}`);
const grant = (name: string) =>
  world.lab.keyVault('PUT', `/vaults/${name}/grants/${appPrincipalId}`, {
    permissions: 'cryptoServiceEncryptionUser',
  });
const seen = async (name: string) => {
  const view = await world.lab.view(name);
  return [stateOf(view), verdictOn(view)?.status, verdictOn(view)?.cause];
};

test('one customer that removes its grant is blocked within 186 s, also where nothing names the principal', async () => {
  await accounts('lone');
  await deny('lone');
  await world.lab.advance(186_000);
  expect(await seen('lone')).toEqual(['CustomerKeyInaccessible', 'Inaccessible', 'KeyPermissionDenied']);
});

test('INV-2: denials that begin together for three owners block no account, and count once the operator confirms them', async () => {
  const { lab } = world;
  const names = ['burst-a', 'burst-b', 'burst-c'];
  await accounts(...names);
  for (const name of names) await deny(name);
  await lab.advance(60 * minute);
  for (const name of names) expect(await seen(name)).toEqual(['Enabled', 'Unreachable', 'IdentityReplaced']);
  const replaced = async () => (await ownEntries(lab.service)).filter(({ type }) => type === 'IdentityReplaced');
  expect(await replaced()).toMatchObject([{ identity: 'systemAssigned', owners: names, count: 3 }]);
  expect(await ownIdentities(lab.service)).toMatchObject([{ identity, principalId: appPrincipalId, isHeldBack: true }]);

  await grant('burst-c');
  await lab.advance(2 * minute);
  expect(await seen('burst-c')).toEqual(['Enabled', 'Accessible', undefined]);
  expect(await seen('burst-a')).toEqual(['Enabled', 'Unreachable', 'IdentityReplaced']);

  await confirmDenials(identity, operator, lab.service);
  await lab.advance(4 * minute);
  for (const name of ['burst-a', 'burst-b'])
    expect(await seen(name)).toEqual(['CustomerKeyInaccessible', 'Inaccessible', 'KeyPermissionDenied']);
  expect(await seen('burst-c')).toEqual(['Enabled', 'Accessible', undefined]);
  const confirmed = (await ownEntries(lab.service)).filter(({ type }) => type === 'DenialsConfirmed');
  expect(confirmed).toMatchObject([{ actor: operator, owners: names }]);
});
