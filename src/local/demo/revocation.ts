/** The chapters of a revoked key, and of a vault that is down, which is not a revocation. */

import { type Caller, until } from '../client.ts';
import type { Stack } from '../stack.ts';
import { lineOf } from '../topic/line.ts';
import type { CloudEvent } from '../topic/topic.ts';
import { account, accountWhen, contentKeyPath, reveal, statusOf } from './alpha.ts';
import { expected, refused, same } from './checks.ts';
import type { Narrator } from './narrator.ts';

export async function revocation(stack: Stack, api: Caller, contentKey: string, { step }: Narrator): Promise<void> {
  await step({
    title: 'The key is deleted: one denial makes it Suspect, and blocks no account yet',
    run: async () => {
      await stack.keyVault('DELETE', '/vaults/contoso-keys/keys/media');
      const seen = await accountWhen(api, 'Suspect', (now) => statusOf(now) === 'Suspect');
      same('state', seen.properties.state, 'Enabled');
      return [`${statusOf(seen)}: ${seen.properties.encryption.cause}`];
    },
  });
  await step({
    title: 'The denial is confirmed: Customer Key Inaccessible',
    run: async () => {
      const seen = await accountWhen(api, 'inaccessible', (now) => now.properties.state !== 'Enabled');
      same('state', seen.properties.state, 'CustomerKeyInaccessible');
      return [
        `${seen.properties.encryption.cause}: ${seen.properties.encryption.meaning}`,
        seen.properties.encryption.remedy,
      ];
    },
  });
  await step({
    title: 'GET and LIST work; a PATCH is refused with cause and remedy',
    run: async () => {
      await expected(200, api('GET', '/api/accounts/alpha'));
      const { body } = await expected(200, api('GET', '/api/accounts'));
      same('accounts listed', body.value.length, 2);
      return refused(
        await api('PATCH', '/api/accounts/alpha', { tags: { team: 'media' } }),
        403,
        'CustomerKeyInaccessible',
      );
    },
  });
  await step({
    title: 'The reveal is refused, although this process has just used the key',
    run: async () => refused(await api('POST', `${contentKeyPath}/reveal`), 403, 'CustomerKeyInaccessible'),
  });
  await step({
    title: 'The key is recovered: the account is Enabled again automatically',
    run: async () => {
      await stack.keyVault('POST', '/vaults/contoso-keys/keys/media/recover');
      const seen = await accountWhen(api, 'Enabled', (now) => now.properties.state === 'Enabled');
      await expected(200, api('PATCH', '/api/accounts/alpha', { tags: { team: 'media' } }));
      return [`${seen.properties.state}, ${statusOf(seen)}; the PATCH succeeds`];
    },
  });
  await step({
    title: 'The content key is revealed again, the same as before',
    run: async () => {
      same('content key', (await reveal(api)) === contentKey, true);
      return ['re-wrapped twice and revoked once in between: the data below the account key did not change'];
    },
  });
  await step({
    title: 'Keyward published all of it from the audit to the operator’s Event Grid topic',
    run: async () => {
      const type = (name: string) => announced(stack, (event) => event.type === `Keyward.${name}`);
      const verdict = (after: string) => announced(stack, ({ data }) => (data as { after?: string }).after === after);
      return [await verdict('Suspect'), await type('CustomerKeyInaccessible'), await type('CustomerKeyRestored')];
    },
  });
}

/** Waits for the announcement: Keyward publishes in the background, a moment later. */
async function announced(stack: Stack, isIt: (event: CloudEvent) => boolean): Promise<string> {
  const ask = async () => stack.topic?.published.findLast(isIt);
  const event = await until('an announcement', ask, (found) => found !== undefined);
  return event === undefined ? '' : lineOf(event);
}

export async function outage(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  await step({
    title: 'Key Vault answers 503 for a while: the account is Unreachable and never blocked',
    run: async () => {
      const fault = { vault: 'contoso-keys', action: 'status', status: 503, body: 'empty' };
      await stack.keyVault('POST', '/faults', fault);
      await accountWhen(api, 'Unreachable', (now) => statusOf(now) === 'Unreachable');
      const states = new Set<string>();
      const end = Date.now() + 6_000;
      await until(
        'six seconds of it',
        async () => states.add((await account(api)).properties.state),
        () => Date.now() > end,
      );
      same('states seen', [...states].join(), 'Enabled');
      const { cause } = (await account(api)).properties.encryption;
      await stack.keyVault('DELETE', '/faults');
      await accountWhen(api, 'Accessible', (now) => statusOf(now) === 'Accessible');
      return [`${cause} for three key checks: Enabled all the time, and Accessible again together with the vault`];
    },
  });
  await step({
    title: 'An account can be deleted while its key is inaccessible',
    run: async () => {
      await stack.keyVault('DELETE', '/vaults/contoso-keys/keys/media');
      await accountWhen(api, 'inaccessible', (now) => now.properties.state !== 'Enabled');
      await expected(200, api('DELETE', '/api/accounts/alpha?now=true'));
      await expected(404, api('GET', '/api/accounts/alpha'));
      return ['its wrapped key is deleted: its data can never be decrypted again, with or without the customer key'];
    },
  });
}
