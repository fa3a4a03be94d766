/**
 * The chapter of data keys: a service encrypts a record with the client, and the client refuses it when the key is
 * revoked.
 */
import { KeywardClient, KeywardRefusal } from '../../../packages/client/src/index.ts';
import { type Caller, until } from '../client.ts';
import { location, operatorToken } from '../operator.ts';
import type { Stack } from '../stack.ts';
import { expected, same } from './checks.ts';
import type { Narrator } from './narrator.ts';

/** A tenant of the service is named by its GUID. */
const tenant = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const path = `/api/accounts/${tenant}`;
const record = 'blood group 0';
const context = { table: 'patients', record: '42' };
const keyPath = '/vaults/fabrikam-keys/keys/records';

export async function dataKeyChapter(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  let requests = 0;
  const counting: typeof fetch = (...call) => {
    requests += 1;
    return fetch(...call);
  };
  const getToken = async () => ({
    token: await operatorToken(stack.identity),
    expiresOnTimestamp: Date.now() + 3_600_000,
  });
  const client = new KeywardClient(stack.host.url, { getToken }, { fetch: counting });
  const decrypted = async (message: Uint8Array) =>
    Buffer.from(await client.decrypt(tenant, message, context)).toString();
  let message: Uint8Array = new Uint8Array();
  let bound = 0;

  await step({
    title: 'A service encrypts a record in its own process; Keyward sees a data key and no record',
    run: async () => {
      await stack.createCustomerVault('fabrikam-keys');
      await stack.keyVault('POST', keyPath, { kty: 'RSA', size: 2048 });
      const keyVaultProperties = { keyIdentifier: 'https://fabrikam-keys.vault.azure.net/keys/records' };
      const encryption = { type: 'CustomerKey', keyVaultProperties };
      await expected(201, api('PUT', path, { location, properties: { owner: 'fabrikam', encryption } }));
      message = await client.encrypt(tenant, Buffer.from(record), context);
      same('record', await decrypted(message), record);
      return [`${message.length} bytes, bound to ${JSON.stringify(context)}`];
    },
  });
  await step({
    title: 'A thousand records more cost no call to Keyward; the signed key status says until when',
    run: async () => {
      const before = requests;
      for (let n = 0; n < 1000; n++) await client.encrypt(tenant, Buffer.from(record), { record: String(n) });
      same('calls', requests - before, 0);
      const attested = await client.dataKeys.keyStatus(tenant);
      const { notAfter = 0, issuedAt = 0 } = attested?.status ?? {};
      bound = 70 + 300;
      return [
        `the client may hold its keys for ${Math.round((notAfter - issuedAt) / 1000)} s; published bound ${bound} s`,
      ];
    },
  });
  await step({
    title: 'The customer disables the key: the client refuses the record, by the announcement, before its status ends',
    run: async () => {
      const revokedAt = Date.now();
      await stack.keyVault('PATCH', keyPath, { enabled: false });
      const isOurs = ({ type, subject }: { type: string; subject?: string | undefined }) =>
        type === 'Keyward.CustomerKeyInaccessible' && subject === `/accounts/${tenant}`;
      const event = await until(
        'an announcement',
        async () => stack.topic?.published.findLast(isOurs),
        (found) => found !== undefined,
      );
      client.refuse(event);
      const refusal = await decrypted(message).catch((error: unknown) => error);
      if (!(refusal instanceof KeywardRefusal)) throw new Error('The record was not refused.');
      same('cause', refusal.cause, 'KeyDisabled');
      same('who acts', refusal.actor, 'customer');
      const seconds = (Date.now() - revokedAt) / 1000;
      same('within the bound', seconds <= bound, true);
      return [`refused in the client after ${seconds.toFixed(1)} s: ${refusal.cause}`, refusal.remedy ?? ''];
    },
  });
  await step({
    title: 'The customer enables the key: the same record decrypts again',
    run: async () => {
      await stack.keyVault('PATCH', keyPath, { enabled: true });
      const read = () => decrypted(message).catch(() => '');
      same('record', await until('restored', read, (text) => text !== ''), record);
      return ['nothing was encrypted again'];
    },
  });
  client.close();
}
