/** The steps of the demo: HTTP calls of the service's operator, and changes of customers in their own vaults. */
import { type Caller, caller, until } from '../client.ts';
import { location, operatorToken, operatorVault } from '../operator.ts';
import type { Stack } from '../stack.ts';
import { lineOf } from '../topic/line.ts';
import type { CloudEvent } from '../topic/topic.ts';
import { auditing } from './auditing.ts';
import { expected, refused, same } from './checks.ts';
import { dataKeyChapter } from './dataKeys.ts';
import { drillChapter } from './drill.ts';
import type { Narrator } from './narrator.ts';

/** A minute becomes two seconds: the same rules in less time. */
export const compressedTime = {
  KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '2',
  KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '1',
  KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '1',
  KEYWARD_LOOK_SPACING_SECONDS: '1',
  KEYWARD_CONFIRM_KEY_NOT_FOUND_SECONDS: '2',
  KEYWARD_CONFIRM_PERMISSION_SECONDS: '3',
  KEYWARD_VERSION_CHECK_INTERVAL_SECONDS: '4',
  KEYWARD_SWEEP_SCHEDULE: '*/2 * * * * *',
};

const key = 'https://contoso-keys.vault.azure.net/keys/media';
const customerKey = (keyIdentifier: string) => ({
  properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } } },
});

export async function story(stack: Stack, narrator: Narrator): Promise<void> {
  const api = caller(stack.host.url, { authorization: `Bearer ${await operatorToken(stack.identity)}` });
  narrator.chapter('An account gets its key');
  await gettingKeys(stack, api, narrator);
  narrator.chapter('A secret under the account key');
  const contentKey = await storingSecrets(api, narrator);
  narrator.chapter('Keyward rejects unusable keys');
  await refusedKeys(stack, api, narrator);
  narrator.chapter('The customer rotates the key');
  await rotation(stack, api, narrator);
  narrator.chapter('The operator rotates the system key');
  await operatorRotation(stack, api, narrator);
  narrator.chapter('The customer revokes the key, and restores it');
  await revocation(stack, api, contentKey, narrator);
  narrator.chapter('Key Vault is down, which is not a revocation');
  await outage(stack, api, narrator);
  narrator.chapter('A service encrypts its own data');
  await dataKeyChapter(stack, api, narrator);
  narrator.chapter('Keyward proves its own bounds');
  await drillChapter(stack, api, narrator);
  narrator.chapter('The auditor reads and verifies the audit');
  await auditing(stack, api, narrator);
}

async function gettingKeys(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
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

const contentKeyPath = '/api/accounts/alpha/contentKeys/9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001';

async function reveal(api: Caller): Promise<string> {
  const { body, headers } = await expected(200, api('POST', `${contentKeyPath}/reveal`));
  same('Cache-Control', headers.get('cache-control'), 'no-store');
  return body.properties.value;
}

/** Returns the content key of the first reveal. */
async function storingSecrets(api: Caller, { step }: Narrator): Promise<string> {
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

async function refusedKeys(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
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

async function rotation(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
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

async function operatorRotation(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
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

async function revocation(stack: Stack, api: Caller, contentKey: string, { step }: Narrator): Promise<void> {
  await step({
    title: 'The key is deleted: one denial makes it Suspect, and blocks no account yet',
    run: async () => {
      await stack.keyVault('DELETE', '/vaults/contoso-keys/keys/media');
      const seen = await until(
        'Suspect',
        () => account(api),
        (now) => statusOf(now) === 'Suspect',
      );
      same('state', seen.properties.state, 'Enabled');
      return [`${statusOf(seen)}: ${seen.properties.encryption.cause}`];
    },
  });
  await step({
    title: 'The denial is confirmed: Customer Key Inaccessible',
    run: async () => {
      const seen = await until(
        'inaccessible',
        () => account(api),
        (now) => now.properties.state !== 'Enabled',
      );
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
      const seen = await until(
        'Enabled',
        () => account(api),
        (now) => now.properties.state === 'Enabled',
      );
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

async function outage(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  await step({
    title: 'Key Vault answers 503 for a while: the account is Unreachable and never blocked',
    run: async () => {
      const fault = { vault: 'contoso-keys', action: 'status', status: 503, body: 'empty' };
      await stack.keyVault('POST', '/faults', fault);
      await until(
        'Unreachable',
        () => account(api),
        (now) => statusOf(now) === 'Unreachable',
      );
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
      await until(
        'Accessible',
        () => account(api),
        (now) => statusOf(now) === 'Accessible',
      );
      return [`${cause} for three key checks: Enabled all the time, and Accessible again together with the vault`];
    },
  });
  await step({
    title: 'An account can be deleted while its key is inaccessible',
    run: async () => {
      await stack.keyVault('DELETE', '/vaults/contoso-keys/keys/media');
      await until(
        'inaccessible',
        () => account(api),
        (now) => now.properties.state !== 'Enabled',
      );
      await expected(200, api('DELETE', '/api/accounts/alpha?now=true'));
      await expected(404, api('GET', '/api/accounts/alpha'));
      return ['its wrapped key is deleted: its data can never be decrypted again, with or without the customer key'];
    },
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the account's JSON, as a caller sees it.
const account = async (api: Caller): Promise<any> => (await expected(200, api('GET', '/api/accounts/alpha'))).body;

const versionOf = async (api: Caller): Promise<string> =>
  (await account(api)).properties.encryption.keyVaultProperties.currentKeyIdentifier.split('/').at(-1);

const statusOf = (seen: { properties: { encryption: { status: string } } }): string =>
  seen.properties.encryption.status;

async function rotate(stack: Stack): Promise<string> {
  const made = await stack.keyVault<{ key: { kid: string } }>('POST', '/vaults/contoso-keys/keys/media/rotate');
  return made.key.kid.split('/').at(-1) ?? '';
}

async function requestsTo(stack: Stack, vault: string): Promise<number> {
  const { requests } = await stack.keyVault<{ requests: unknown[] }>('GET', `/requests?vault=${vault}`);
  return requests.length;
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
