/** The chapters of a new account: its key, its secret, and the keys that Keyward rejects. */

import { type Caller, until } from '../client.ts';
import { location } from '../operator.ts';
import type { Stack } from '../stack.ts';
import { account, contentKeyPath, customerKey, key, requestsTo, reveal, versionOf } from './alpha.ts';
import { expected, refused, same } from './checks.ts';
import type { Narrator } from './narrator.ts';

export async function gettingKeys(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  await step({
    title: 'The service starts: its functions are registered from the built bundle',
    run: async () => {
      const { functions } = stack.host;
      const routes = functions.filter(({ trigger }) => trigger === 'httpTrigger');
      const others = functions.filter(({ trigger }) => trigger !== 'httpTrigger');
      const named = others.map(({ name, trigger }) => `${name} (${trigger.replace('Trigger', '')})`);
      return [`${routes.length} HTTP routes, and ${named.join(', ')}`];
    },
  });
  await step({
    title: 'An account is created; its account key is wrapped by the system key',
    run: async () => {
      const { body } = await expected(
        201,
        api('PUT', '/api/accounts/alpha', { location, properties: { owner: 'contoso' } }),
      );
      same('encryption type', body.properties.encryption.type, 'SystemKey');
      return [`alpha: ${body.properties.state}, ${body.properties.encryption.type}`];
    },
  });
  await step({
    title: 'The customer’s own key replaces it, without a version, so that Keyward uses new versions',
    run: async () => {
      await stack.createCustomerVault('contoso-keys');
      await stack.keyVault('POST', '/vaults/contoso-keys/keys/media', { kty: 'RSA', size: 3072 });
      const { body } = await expected(200, api('PATCH', '/api/accounts/alpha', customerKey(key)));
      const { keyVaultProperties, accountKeyGeneration } = body.properties.encryption;
      same('key identifier', keyVaultProperties.keyIdentifier, key);
      same('account key generation', accountKeyGeneration, 2);
      return [
        `now wrapped by ${keyVaultProperties.currentKeyIdentifier}`,
        'with a new account key, proven by a remote unwrap',
      ];
    },
  });
}

/** Returns the content key of the first reveal. */
export async function storingSecrets(api: Caller, { step }: Narrator): Promise<string> {
  let value = '';
  await step({
    title: 'Keyward creates and stores a content key; neither PUT nor GET returns it',
    run: async () => {
      const put = await expected(201, api('PUT', contentKeyPath, { properties: { length: 16 } }));
      const read = await expected(200, api('GET', contentKeyPath));
      same(
        'value in PUT and GET',
        [put, read].some(({ body }) => 'value' in body.properties),
        false,
      );
      return ['encrypted by the account key, and once more by the service’s own at-rest key'];
    },
  });
  await step({
    title: 'Only a reveal returns it',
    run: async () => {
      value = await reveal(api);
      same('bytes', Buffer.from(value, 'base64').length, 16);
      return ['16 bytes, Cache-Control: no-store'];
    },
  });
  await step({
    title: 'The account is deleted by mistake: it refuses every call at once, and is recovered with its secret',
    run: async () => {
      const { body } = await expected(202, api('DELETE', '/api/accounts/alpha'));
      const lines = refused(await api('POST', `${contentKeyPath}/reveal`), 409, 'AccountPendingDeletion');
      await expected(200, api('POST', '/api/accounts/alpha/recover'));
      same('value after recovery', await reveal(api), value);
      return [...lines, `recovered before ${body.properties.scheduledPurgeAt}, when its key would have been destroyed`];
    },
  });
  return value;
}

export async function refusedKeys(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  const before = await versionOf(api);
  await step({
    title: 'A dry run of a bad key lists three failures at once, and changes nothing',
    run: async () => {
      await stack.createCustomerVault('contoso-bad', {
        recoveryLevel: 'Recoverable+Purgeable',
        location: 'northeurope',
      });
      await stack.keyVault('POST', '/vaults/contoso-bad/keys/media', { kty: 'RSA', size: 2048, enabled: false });
      const { etag } = await account(api);
      const input = customerKey('https://contoso-bad.vault.azure.net/keys/media');
      const { body } = await expected(200, api('POST', '/api/accounts/alpha/validateEncryption', input));
      const failed: { cause: string; seen: string }[] = body.checks.filter(
        (one: { result: string }) => one.result === 'fail',
      );
      const causes = failed.map(({ cause }) => cause).join(', ');
      same('failures', causes, 'KeyDisabled, PurgeProtectionMissing, RegionMismatch');
      same('ETag', (await account(api)).etag, etag);
      return failed.map(({ cause, seen }) => `${cause}: ${seen}`);
    },
  });
  await step({
    title: 'An elliptic-curve key is refused',
    run: async () => {
      await stack.keyVault('POST', '/vaults/contoso-keys/keys/curve', { kty: 'EC', curve: 'P-256' });
      const input = customerKey('https://contoso-keys.vault.azure.net/keys/curve');
      return refused(await api('PATCH', '/api/accounts/alpha', input), 400, 'KeyTypeUnsupported');
    },
  });
  await step({
    title: 'A vault without purge protection is refused',
    run: async () => {
      await stack.createCustomerVault('contoso-loose', { recoveryLevel: 'Recoverable+Purgeable' });
      await stack.keyVault('POST', '/vaults/contoso-loose/keys/media', { kty: 'RSA', size: 2048 });
      const input = customerKey('https://contoso-loose.vault.azure.net/keys/media');
      return refused(await api('PATCH', '/api/accounts/alpha', input), 400, 'PurgeProtectionMissing');
    },
  });
  await step({
    title: 'Another owner’s vault is refused, before any call to it',
    run: async () => {
      await expected(201, api('PUT', '/api/accounts/mallory', { location, properties: { owner: 'fabrikam' } }));
      // The sweep checks alpha's key in the same vault, so the refusal is repeated until no check falls into it.
      const attempt = async () => {
        const before = await requestsTo(stack, 'contoso-keys');
        const answer = await api('PATCH', '/api/accounts/mallory', customerKey(key));
        return { answer, calls: (await requestsTo(stack, 'contoso-keys')) - before };
      };
      const { answer } = await until('a refusal without a call to the vault', attempt, ({ calls }) => calls === 0);
      return refused(answer, 403, 'OwnerMismatch');
    },
  });
  await step({
    title: 'The account stayed on its key through all of this',
    run: async () => {
      same('current key version', await versionOf(api), before);
      return [`alpha is still on …/${before.slice(0, 8)}`];
    },
  });
}
