/** Announcements of the built app, through the real SDK, at a topic on this machine. */
import { TableClient, type TableEntity } from '@azure/data-tables';
import { beforeAll, describe, expect, test } from 'vitest';
import { compose } from '../../src/azure/compose.ts';
import { emptyChain } from '../../src/core/audit/auditEntry.ts';
import type { Service } from '../../src/core/service.ts';
import { caller, until } from '../../src/local/client.ts';
import { accountEntries, bindingEntries, ownEntries } from '../../src/local/entries.ts';
import { appPrincipalId, operatorVault } from '../../src/local/operator.ts';
import type { CloudEvent } from '../../src/local/topic/topic.ts';
import { type Arrived, arrived, documentedKinds, expectAnnounced } from '../announcements/support.ts';
import { firstBrokenLink } from '../chain.ts';
import {
  accountOf,
  customerKey,
  got,
  newAccount,
  rotate,
  spawnInstance,
  sweepOnce,
  useStack,
  vaultWithKey,
  versionOf,
  withCustomerKey,
} from './support.ts';

const published: CloudEvent[] = [];
const world = useStack({
  onPublished: (event) => published.push(event),
  settings: {
    KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '1',
    KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.2',
    KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '0.2',
    KEYWARD_LOOK_SPACING_SECONDS: '0.2',
    KEYWARD_VERSION_CHECK_INTERVAL_SECONDS: '0.5',
  },
});

/** Reads the stored chains. */
let witness: Service;
beforeAll(async () => {
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  witness = await compose(world.stack.settings, silent);
});

const topic = () => {
  if (world.stack.topic === undefined) throw new Error('The stack has a topic.');
  return world.stack.topic;
};
const seen = () => arrived(published);
const isAbout = (subject: string, type: string) => (event: Arrived) =>
  event.subject === subject && event.type === `Keyward.${type}`;

/** Sweeps until the entry is published. */
async function announced(what: string, isIt: (event: Arrived) => boolean): Promise<Arrived> {
  const ask = async () => {
    await sweepOnce(world);
    return seen().find(isIt);
  };
  const found = await until(what, ask, (event) => event !== undefined);
  if (found === undefined) throw new Error(what);
  return found;
}

const ofKey = (key: string, type: string, after?: string) => (event: Arrived) =>
  event.data.keyIdentifier === key &&
  event.type === `Keyward.${type}` &&
  (after === undefined || event.data.after === after);

const grant = (
  method: 'PUT' | 'DELETE',
  vault: string,
  permissions: string | readonly string[] = 'cryptoServiceEncryptionUser',
) =>
  world.stack.keyVault(
    method,
    `/vaults/${vault}/grants/${appPrincipalId}`,
    method === 'PUT' ? { permissions } : undefined,
  );

describe('what is announced', () => {
  test('every entry in the life of an account is published: created, moved, re-wrapped, blocked, restored, released and deleted', async () => {
    const { api } = world;
    const key = await vaultWithKey(world, 'life-kv');
    const created = await got(201, api('PUT', '/api/accounts/Life', newAccount()));
    const { accountId } = created.body.properties;
    await got(200, api('PATCH', '/api/accounts/life', customerKey(key)));
    const first = await versionOf(api, 'life');
    expect(await announced('moved', isAbout('/accounts/Life', 'AccountKeyChanged'))).toMatchObject({
      source: '/keyward',
      data: {
        accountName: 'Life',
        owner: 'contoso',
        accountId,
        chain: accountId,
        sequence: 2,
        before: 'SystemKey',
        after: `${key}/${first}`,
        actor: { kind: 'functionKey' },
        keyVaultRequestId: expect.stringMatching(/\S/),
      },
    });

    const second = await rotate(world, 'life-kv');
    const rewrapped = await announced('re-wrapped', isAbout('/accounts/Life', 'AccountKeyRewrapped'));
    expect(rewrapped.data).toMatchObject({ before: `${key}/${first}`, after: `${key}/${second}` });
    const complete = await announced('complete', ofKey(key, 'RotationCompleted'));
    expect(complete.data).toMatchObject({ key: second, accounts: 1 });

    const enabled = (is: boolean) =>
      world.stack.keyVault('PATCH', `/vaults/life-kv/keys/cmk/${second}`, { enabled: is });
    await enabled(false);
    const suspect = await announced('suspect', ofKey(key, 'VerdictChanged', 'Suspect'));
    expect(suspect).toMatchObject({ data: { key: second, before: 'Accessible', cause: 'KeyDisabled' } });
    const lost = await announced('inaccessible', isAbout('/accounts/Life', 'CustomerKeyInaccessible'));
    const shown = (await accountOf(api, 'life')).properties.encryption;
    expect(lost.data).toMatchObject({
      key: `${key}/${second}`,
      cause: 'KeyDisabled',
      epoch: 1,
      accountId,
      keyReleasedBy: shown.keyReleasedBy,
    });
    const verdict = seen().find(ofKey(key, 'VerdictChanged', 'Inaccessible'));
    expect(verdict?.data).toMatchObject({ epoch: 1, keyReleasedBy: shown.keyReleasedBy });

    await enabled(true);
    await announced('restored', isAbout('/accounts/Life', 'CustomerKeyRestored'));
    await got(200, api('PATCH', '/api/accounts/life', { properties: { encryption: { type: 'SystemKey' } } }));
    await got(200, api('DELETE', '/api/accounts/life'));
    await announced('deleted', isAbout('/accounts/Life', 'AccountDeleted'));
  });

  test('a version near its expiry is published once, and so is a new version that cannot be used', async () => {
    const soon = new Date(Date.now() + 10 * 86_400_000);
    soon.setMilliseconds(0);
    const key = await vaultWithKey(world, 'expiry-kv', {}, { exp: soon.toISOString() });
    await got(201, world.api('PUT', '/api/accounts/expiry', withCustomerKey('expiry', key)));
    const near = await announced('near expiry', ofKey(key, 'KeyNearExpiry'));
    const inUse = await versionOf(world.api, 'expiry');
    expect(near.data).toMatchObject({ key: inUse, expiresOn: soon.toISOString() });
    await world.stack.keyVault('POST', '/vaults/expiry-kv/keys/cmk', {
      kty: 'RSA',
      size: 2048,
      exp: '2020-01-01T00:00:00Z',
    });
    const unusable = await announced('unusable', ofKey(key, 'NewVersionUnusable'));
    expect(unusable.data).toMatchObject({ cause: 'KeyExpired' });
    expect(unusable.data.key).not.toBe(inUse);
    // The version in use reaches its expiry date.
    await world.stack.keyVault('PATCH', `/vaults/expiry-kv/keys/cmk/${unusable.data.key}`, { enabled: false });
    await world.stack.keyVault('PATCH', `/vaults/expiry-kv/keys/cmk/${inUse}`, { exp: '2020-01-01T00:00:00Z' });
    const third = await world.stack.keyVault<{ key: { kid: string } }>('POST', '/vaults/expiry-kv/keys/cmk', {
      kty: 'RSA',
      size: 2048,
      exp: soon.toISOString(),
    });
    await announced('the next version', isAbout('/accounts/expiry', 'AccountKeyRewrapped'));
    const latest = third.key.kid.split('/').at(-1);
    await world.stack.keyVault('PATCH', `/vaults/expiry-kv/keys/cmk/${latest}`, { exp: '2020-01-01T00:00:00Z' });
    expect((await announced('expired', ofKey(key, 'KeyExpired'))).data).toMatchObject({
      key: latest,
      expiresOn: '2020-01-01T00:00:00.000Z',
    });
    expect(
      seen()
        .filter(ofKey(key, 'KeyNearExpiry'))
        .map(({ data }) => data.key),
    ).toEqual([inUse, latest]);
  });

  test('a failure of Keyward’s identity and its end are published once each, not with every look', async () => {
    const key = await vaultWithKey(world, 'trouble-kv');
    await got(201, world.api('PUT', '/api/accounts/trouble', withCustomerKey('trouble', key)));
    await Promise.all([grant('DELETE', 'trouble-kv'), grant('DELETE', operatorVault)]);
    try {
      const announcement = await announced('trouble', ofKey(key, 'IdentityUnavailable'));
      expect(announcement.data).toMatchObject({ cause: 'IdentityUnavailable', actor: { kind: 'keyward' } });
      await announced('unreachable', ofKey(key, 'VerdictChanged', 'Unreachable'));
      const looks = async () =>
        (await world.stack.keyVault<{ requests: unknown[] }>('GET', '/requests?vault=trouble-kv')).requests.length;
      const before = await looks();
      await until(
        'two more looks',
        async () => {
          await world.stack.host.invokeTimer('sweep');
          return looks();
        },
        (now) => now >= before + 2,
      );
    } finally {
      await Promise.all([grant('PUT', 'trouble-kv'), grant('PUT', operatorVault)]);
    }
    await announced('well again', ofKey(key, 'IdentityAvailable'));
    expect(seen().filter(ofKey(key, 'IdentityUnavailable'))).toHaveLength(1);
  });

  test('the loss of the right to read a key and its return are published once each', async () => {
    const key = await vaultWithKey(world, 'unread-kv');
    await got(201, world.api('PUT', '/api/accounts/unread', withCustomerKey('unread', key)));
    await grant('PUT', 'unread-kv', ['wrapKey', 'unwrapKey']);
    const lost = await announced('not readable', ofKey(key, 'KeyNotReadable'));
    expect(lost.data).toMatchObject({ cause: 'KeyPermissionDenied', actor: { kind: 'keyward' } });
    await grant('PUT', 'unread-kv');
    await announced('readable again', ofKey(key, 'KeyReadable'));
    expect(seen().filter(ofKey(key, 'KeyNotReadable'))).toHaveLength(1);
  });

  test('the entries of the service’s own chain are published', async () => {
    await world.stack.keyVault('POST', `/vaults/${operatorVault}/keys/system/rotate`);
    const ring = await announced('the ring', isAbout('/service', 'RingRewrapped'));
    expect(ring.data).toMatchObject({ chain: 'service', ring: 'system/1' });
  });

  test('the deletion of an account with a secret is announced, and its recovery', async () => {
    await got(201, world.api('PUT', '/api/accounts/back', newAccount()));
    await got(
      201,
      world.api('PUT', '/api/accounts/back/jobInputs/one', { properties: { files: ['https://a.example/b'] } }),
    );
    await got(202, world.api('DELETE', '/api/accounts/back'));
    const scheduled = await announced('the deletion', isAbout('/accounts/back', 'AccountDeletionScheduled'));
    expect(scheduled.data).toMatchObject({ scheduledPurgeAt: expect.any(String) });
    await got(200, world.api('POST', '/api/accounts/back/recover'));
    await announced('the recovery', isAbout('/accounts/back', 'AccountRecovered'));
  });

  test('each kind that docs/events.md lists for subscriptions has arrived, by its type and filter', () => {
    const kinds = documentedKinds();
    expect(kinds.length).toBeGreaterThanOrEqual(10);
    const missing = kinds.filter(
      ({ type, after }) =>
        !seen().some((event) => event.type === type && (after === undefined || event.data.after === after)),
    );
    expect(missing).toEqual([]);
  });

  test('INV-6: each entry of every chain is published without a gap, by its number and hash, and none is left in the outbox', async () => {
    await until('an empty outbox', waiting, (rows) => rows.length === 0);
    const chains = new Map(seen().map(({ subject, data }) => [data.chain, subject]));
    expect(chains.size).toBeGreaterThanOrEqual(7);
    for (const [chain, subject] of chains) expectAnnounced(await entriesOf(chain, subject), seen());
  });
});

const waiting = async () => (await witness.outbox.page({ before: Date.now() + 1000, limit: 100 })).rows;

function entriesOf(chain: string, subject: string) {
  const [, kind, name = ''] = subject.split('/');
  if (kind === 'accounts') return accountEntries(name.toLowerCase(), chain, witness);
  return kind === 'bindings' ? bindingEntries(chain, witness) : ownEntries(witness);
}

describe('a topic that is down', () => {
  test('a topic that is down delays no change, and readiness fails once entries are late', async () => {
    const { api } = world;
    topic().fail({ status: 503 });
    try {
      await got(201, api('PUT', '/api/accounts/down', newAccount()));
      await until(
        'a try',
        async () => topic().requests,
        (tries) => tries > 0,
      );
      const [row] = await waiting();
      if (row === undefined) throw new Error('The row waits.');
      // As if it had waited for ten minutes.
      await witness.outbox.put({ ...row, at: Date.now() - 600_000 });
      await world.stack.host.invokeTimer('sweep');
      const line = (text: string) => world.records.some(({ message }) => message.startsWith(text));
      await until(
        'the pass says that the topic fails',
        async () =>
          line('The announcement topic did not accept events, which wait in the outbox {"count":1,"status":"503"'),
        (isTold) => isTold,
      );
      expect(line('Metric {"metric":"keyward.announcements.oldest.ms","value":60')).toBe(true);
      const { body } = await got(503, api('GET', '/api/health/ready'));
      expect(body.parts.at(-1)).toMatchObject({
        name: 'announcementTopic',
        status: 'failed',
        cause: 'AnnouncementsLate',
        meaning: expect.stringContaining('three minutes'),
      });
      expect(body.announcements).toMatchObject({ waiting: 1, isComplete: true });
      expect(body.announcements.oldestAgeSeconds).toBeGreaterThanOrEqual(600);
    } finally {
      topic().fail();
    }
    await announced('after the sweep', isAbout('/accounts/down', 'AccountCreated'));
    await until('an empty outbox', waiting, (rows) => rows.length === 0);
    const { body } = await got(200, api('GET', '/api/health/ready'));
    expect(body.announcements).toEqual({ waiting: 0, isComplete: true });
  });
});

test('INV-6: entries of a process that is killed between commit and publish are published by the others', async () => {
  const child = await spawnInstance(world);
  topic().fail('hang');
  try {
    const api = caller(child.url, { 'x-functions-key': child.keys.function });
    const tries = topic().requests;
    await got(201, api('PUT', '/api/accounts/killed', newAccount()));
    await until(
      'it is publishing',
      async () => topic().requests,
      (now) => now > tries,
    );
  } finally {
    await child.kill();
    topic().fail();
  }
  expect(seen().some(isAbout('/accounts/killed', 'AccountCreated'))).toBe(false);
  const rows = await waiting();
  expect(rows).toMatchObject([{ subject: { name: 'killed' }, first: 1 }]);
  for (const row of rows) await witness.outbox.put({ ...row, at: Date.now() - 61_000 });
  await announced('by another instance', isAbout('/accounts/killed', 'AccountCreated'));
});

test('a partition that was restored to an older state verifies alone, and fails with published heads', async () => {
  const { api, stack } = world;
  const created = await got(201, api('PUT', '/api/accounts/rolled', newAccount()));
  const chain: string = created.body.properties.accountId;
  const options = { allowInsecureConnection: true };
  const table = TableClient.fromConnectionString(stack.azurite.connectionString, 'keywardaccounts', options);
  const record = await table.getEntity('rolled', 'record');
  const tag = (value: string) => got(200, api('PATCH', '/api/accounts/rolled', { tags: { value } }));
  await tag('a change to hide');
  await announced('the change', ({ id }) => id === `${chain}/2`);

  const { etag: _, timestamp: __, 'odata.metadata': ___, ...older } = record;
  await table.upsertEntity(older as TableEntity, 'Replace');
  await table.deleteEntity('rolled', `audit:${chain}:0000000002`);
  await tag('the change in its place');
  await until(
    'both are announced',
    async () => seen().filter(({ id }) => id === `${chain}/2`),
    (both) => both.length === 2,
  );

  const stored = await witness.accounts.read('rolled');
  const entries = await accountEntries('rolled', chain, witness);
  const { audit } = await witness.rings();
  expect(
    await firstBrokenLink(chain, entries, stored?.value.audit ?? emptyChain, (kek) => audit.kek(kek)),
  ).toBeUndefined();
  // A consumer compares its stored heads with the chain.
  const kept = seen().flatMap(({ data: one }) => (one.chain === chain ? [one] : []));
  const lost = kept.filter(({ sequence, hash }) => entries[sequence - 1]?.hash !== hash);
  expect(lost.map(({ sequence }) => sequence)).toEqual([2]);
});
