/** The account of the demo, and its customer key in the vault of contoso. */

import { type Caller, until } from '../client.ts';
import type { Stack } from '../stack.ts';
import { expected, same } from './checks.ts';

export const key = 'https://contoso-keys.vault.azure.net/keys/media';

export const customerKey = (keyIdentifier: string) => ({
  properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } } },
});

// biome-ignore lint/suspicious/noExplicitAny: the account's JSON, as a caller sees it.
export const account = async (api: Caller): Promise<any> =>
  (await expected(200, api('GET', '/api/accounts/alpha'))).body;

type Account = Awaited<ReturnType<typeof account>>;

/** The account as soon as it is so. */
export const accountWhen = (api: Caller, what: string, isSo: (now: Account) => boolean): Promise<Account> =>
  until(what, () => account(api), isSo);

export const versionOf = async (api: Caller): Promise<string> =>
  (await account(api)).properties.encryption.keyVaultProperties.currentKeyIdentifier.split('/').at(-1);

export const statusOf = (seen: { properties: { encryption: { status: string } } }): string =>
  seen.properties.encryption.status;

export const contentKeyPath = '/api/accounts/alpha/contentKeys/9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001';

export async function reveal(api: Caller): Promise<string> {
  const { body, headers } = await expected(200, api('POST', `${contentKeyPath}/reveal`));
  same('Cache-Control', headers.get('cache-control'), 'no-store');
  return body.properties.value;
}

export async function requestsTo(stack: Stack, vault: string): Promise<number> {
  const { requests } = await stack.keyVault<{ requests: unknown[] }>('GET', `/requests?vault=${vault}`);
  return requests.length;
}
