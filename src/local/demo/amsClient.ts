/** The chapter of Azure Media Services' own client: the unmodified npm package calls the app of this stack. */
import { amsClient, registerAmsAudience } from '../amsClient.ts';
import { until } from '../client.ts';
import { location } from '../operator.ts';
import type { Stack } from '../stack.ts';
import type { Narrator } from './narrator.ts';

const subscriptionId = '5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01';
const [group, account, locator] = ['media', 'contosomedia', 'trailer'] as const;

export async function amsChapter(stack: Stack, { chapter, step }: Narrator): Promise<void> {
  chapter('An unmodified Azure Media Services client');
  await registerAmsAudience(stack);
  const media = amsClient(stack, subscriptionId);
  const vault = (method: 'POST' | 'PATCH', path: string, body?: object) =>
    stack.keyVault(method, `/vaults/contoso-media${path}`, body);
  const state = async () => (await media.mediaservices.get(group, account)).encryption?.status;
  let first: string | undefined;

  await step({
    title: '@azure/arm-mediaservices creates an account under a customer key, and polls the operation to its end',
    run: async () => {
      await stack.createCustomerVault('contoso-media');
      await vault('POST', '/keys/media', { kty: 'RSA', size: 2048 });
      const { id, encryption } = await media.mediaservices.beginCreateOrUpdateAndWait(
        group,
        account,
        {
          location,
          encryption: {
            type: 'CustomerKey',
            keyVaultProperties: { keyIdentifier: 'https://contoso-media.vault.azure.net/keys/media' },
            identity: { useSystemAssignedIdentity: true },
          },
        },
        { updateIntervalInMs: 100 },
      );
      return [String(id), `${encryption?.status}, ${encryption?.keyVaultProperties?.currentKeyIdentifier}`];
    },
  });
  await step({
    title: 'It creates a streaming locator; only listContentKeys returns the value of its content key',
    run: async () => {
      const made = await media.streamingLocators.create(group, account, locator, {
        assetName: 'trailer',
        streamingPolicyName: 'Predefined_ClearKey',
      });
      if (made.contentKeys?.some(({ value }) => typeof value === 'string'))
        throw new Error('The response to create contains the value of a content key.');
      const [key] = (await media.streamingLocators.listContentKeys(group, account, locator)).contentKeys ?? [];
      first = key?.value;
      return [`${key?.type} ${key?.id}, ${Buffer.from(first ?? '', 'base64').length} bytes`];
    },
  });
  await step({
    title: 'The customer disables the key: GET works, and listContentKeys throws with the reason',
    run: async () => {
      await vault('PATCH', '/keys/media', { enabled: false });
      await until('Inaccessible', state, (status) => status === 'Inaccessible');
      const error = await media.streamingLocators.listContentKeys(group, account, locator).then(
        () => undefined,
        (thrown: Error & { code?: string; statusCode?: number }) => thrown,
      );
      if (error?.code !== 'CustomerKeyInaccessible')
        throw new Error(`expected CustomerKeyInaccessible, got ${error?.code}`);
      return [`RestError ${error.statusCode} ${error.code}`];
    },
  });
  await step({
    title: 'The customer enables the key again: listContentKeys returns the same content key',
    run: async () => {
      await vault('PATCH', '/keys/media', { enabled: true });
      await until('Accessible', state, (status) => status === 'Accessible');
      const [key] = (await media.streamingLocators.listContentKeys(group, account, locator)).contentKeys ?? [];
      if (key?.value !== first) throw new Error('It is another content key.');
      await media.mediaservices.delete(group, account);
      return ['and the account is deleted'];
    },
  });
}
