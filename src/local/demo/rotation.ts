/** The chapters of rotation: by the customer, and by the operator. */

import { type Caller, until } from '../client.ts';
import { operatorVault } from '../operator.ts';
import type { Stack } from '../stack.ts';
import { account, requestsTo, versionOf } from './alpha.ts';
import { expected, same } from './checks.ts';
import type { Narrator } from './narrator.ts';

export async function rotation(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  let latest = '';
  let eventId = '';
  await step({
    title: 'A new key version: the event arrives and the account key is re-wrapped',
    run: async () => {
      const before = await versionOf(api);
      latest = await rotate(stack);
      await until(
        'the account is on the new version',
        () => versionOf(api),
        (version) => version === latest,
      );
      eventId = (await stack.keyVault<{ id: string }[]>('GET', '/events')).at(-1)?.id ?? '';
      return [`…/${before.slice(0, 8)} → …/${latest.slice(0, 8)}`];
    },
  });
  await step({
    title: 'The same event a second time changes nothing',
    run: async () => {
      const { etag } = await account(api);
      await stack.keyVault('POST', `/events/${eventId}/redeliver`);
      await seenByASweep(stack);
      same('ETag', (await account(api)).etag, etag);
      return [`ETag unchanged: ${etag}`];
    },
  });
  await step({
    title: 'An old event that arrives after a newer version is in use changes nothing',
    run: async () => {
      await stack.keyVault('PUT', '/events/mode', { mode: 'hold' });
      await rotate(stack);
      latest = await rotate(stack);
      await until(
        'the sweep found the newest version',
        () => versionOf(api),
        (version) => version === latest,
      );
      const { etag } = await account(api);
      await stack.keyVault('POST', '/events/release', { order: 'reverse' });
      await stack.keyVault('PUT', '/events/mode', { mode: 'normal' });
      await seenByASweep(stack);
      same('ETag', (await account(api)).etag, etag);
      return [
        `two versions without an event: the sweep found …/${latest.slice(0, 8)}; the late events changed nothing`,
      ];
    },
  });
}

export async function operatorRotation(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  const tokenKey = '/api/accounts/mallory/tokenKeys/player';
  const keyValue = Buffer.from('a token key of mallory').toString('base64');
  // biome-ignore lint/suspicious/noExplicitAny: the ring's JSON, as a caller sees it.
  const systemRing = async (): Promise<any> => (await expected(200, api('GET', '/api/operator/rings'))).body.value[0];
  await step({
    title: 'A new version of the system key: its ring is re-wrapped, and no account changes',
    run: async () => {
      await expected(201, api('PUT', tokenKey, { properties: { keyValue } }));
      const etags = async () => {
        const { body } = await expected(200, api('GET', '/api/accounts'));
        return body.value.map((one: { etag: string }) => one.etag).join();
      };
      const before = { etags: await etags(), keys: (await systemRing()).generations[0].keys };
      const made = await stack.keyVault<{ key: { kid: string } }>(
        'POST',
        `/vaults/${operatorVault}/keys/system/rotate`,
      );
      const ring = await until('the ring is under the new version', systemRing, ({ generations }) => {
        return generations[0].keys.join() === made.key.kid;
      });
      same('ETags of all accounts', await etags(), before.etags);
      const old = before.keys[0].split('/').at(-1);
      await stack.keyVault('PATCH', `/vaults/${operatorVault}/keys/system/${old}`, { enabled: false });
      const { body } = await expected(200, api('POST', `${tokenKey}/reveal`));
      same('token key of an account under the system key', body.properties.keyValue, keyValue);
      return [
        `system ring, generation ${ring.sealing}: …/${old.slice(0, 8)} → …/${made.key.kid.split('/').at(-1)?.slice(0, 8)}`,
        'found by the sweep, proven by one unwrap; the older version is disabled, and the accounts work',
      ];
    },
  });
}

async function rotate(stack: Stack): Promise<string> {
  const made = await stack.keyVault<{ key: { kid: string } }>('POST', '/vaults/contoso-keys/keys/media/rotate');
  return made.key.kid.split('/').at(-1) ?? '';
}

/** After two looks, every effect of an event has happened. */
async function seenByASweep(stack: Stack): Promise<void> {
  const before = await requestsTo(stack, 'contoso-keys');
  await until(
    'two looks',
    () => requestsTo(stack, 'contoso-keys'),
    (count) => count >= before + 2,
  );
}
