/** Bodies of PUT and PATCH of an account that hold what tools print. */
import { expect, test } from 'vitest';
import { parseAccount } from '../../src/functions/http/accounts/accountInput.ts';

const keyIdentifier = 'https://contoso.vault.azure.net/keys/media';
const encryption = (more: object) => ({
  properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier }, ...more } },
});
const userAssigned =
  '/subscriptions/s/resourceGroups/keys/providers/Microsoft.ManagedIdentity/userAssignedIdentities/keyward';
const identityOf = (identity: object) => () =>
  parseAccount(encryption({ identity: { useSystemAssignedIdentity: false, ...identity } }));

test('a key identifier that a tool prints as null counts as absent: it belongs to no system key', () => {
  const printed = { type: 'SystemKey', keyVaultProperties: { keyIdentifier: null, currentKeyIdentifier: null } };
  expect(parseAccount({ properties: { encryption: printed } }).encryption).toEqual({ type: 'SystemKey' });
});

test('a customer key whose identifier is null is refused as one without an identifier', () => {
  const call = () => parseAccount(encryption({ keyVaultProperties: { keyIdentifier: null } }));
  expect(call).toThrow('Type CustomerKey needs keyVaultProperties.keyIdentifier. Add it.');
});

test.each([
  ['a line break', `${userAssigned}\n`, /a line break \(U\+000A\) at position 104, the end\.$/],
  ['quotes', `"${userAssigned}"`, /'"' \(U\+0022\) at position 1\.$/],
  ['a zero-width space', userAssigned.replace('keyward', 'key\u200bward'), /a zero-width space \(U\+200B\)/],
])('the refusal of the resource id of an identity with %s says which character it is', (_, id, message) => {
  expect(identityOf({ userAssignedIdentity: id })).toThrow(message);
});

test.each([
  'contoso.onmicrosoft.com',
  '{11111111-2222-4333-8444-555555555555}',
  ' 11111111-2222-4333-8444-555555555555',
])('the tenant %j is refused with the form of a GUID', (tenantId) => {
  const federatedIdentityClientId = '11111111-2222-4333-8444-555555555555';
  const call = identityOf({ userAssignedIdentity: userAssigned, federatedIdentityClientId, tenantId });
  expect(call).toThrow('Send a GUID: 8-4-4-4-12 hexadecimal digits, without braces, quotes or spaces.');
});
