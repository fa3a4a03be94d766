/** The output of a busy app: every log line, metric and response of a scenario in which every secret is marked. */
import { TableClient } from '@azure/data-tables';
import { beforeAll, describe, expect, test } from 'vitest';
import { isCause } from '../../src/core/base/causes.ts';
import { type Answer, caller } from '../../src/local/client.ts';
import { operatorToken } from '../../src/local/operator.ts';
import type { CloudEvent } from '../../src/local/topic/topic.ts';
import { got, rotate, sweptUntil, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const announced: CloudEvent[] = [];
const world = useStack({
  onPublished: (event) => announced.push(event),
  settings: {
    KEYWARD_AUTH: 'entra',
    KEYWARD_LOOK_SPACING_SECONDS: '0.2',
    KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.2',
    KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '0.2',
  },
});
const upstream = 'What-only-Key-Vault-says';
const inBodies = 'What-a-caller-typed';
const query = '?sig=forged-signature-of-a-job-input';
const value = Buffer.from('a token key, marked');
const answers: Answer[] = [];
let token: string;
let blobs: string[];

/** An account's life: created, under a key that rotates, denies, fails and recovers; secrets; refused calls. */
beforeAll(async () => {
  token = await operatorToken(world.stack.identity);
  const headers = { authorization: `Bearer ${token}` };
  const ask = caller(world.stack.host.url, headers);
  const api: typeof ask = async (...call) => {
    const answer = await ask(...call);
    answers.push(answer);
    return answer;
  };
  const seen = { ...world, stack: world.stack, api, records: world.records };
  const at = '/api/accounts/busy';
  const key = await vaultWithKey(world, 'busy-kv');
  await got(201, api('PUT', at, withCustomerKey('contoso', key)));
  await got(201, api('PUT', `${at}/tokenKeys/t`, { properties: { keyValue: value.toString('base64') } }));
  const input = `https://store.example/in/${query}`;
  await got(201, api('PUT', `${at}/jobInputs/j`, { properties: { baseUri: input, files: ['clip.mp4'] } }));
  await got(200, api('POST', `${at}/jobInputs/j/reveal`));
  // Its response is the secret, so only the log counts.
  await got(200, ask('POST', `${at}/tokenKeys/t/reveal`));
  await rotate(world, 'busy-kv');
  await api('POST', '/api/operator/rewraps', { account: 'busy' });
  await api('PUT', at, `{"${inBodies}": "${inBodies}"`);
  await api('PATCH', at, { [inBodies]: inBodies, properties: { encryption: { type: inBodies } } });
  await api('GET', `/api/accounts?$top=${inBodies}`);
  await api('POST', '/api/events', [{ eventType: inBodies }]);
  await caller(world.stack.host.url, { authorization: `Bearer ${token}x` })('GET', at).then((one) => answers.push(one));
  for (const fault of [
    { status: 500, body: 'json', code: 'InternalServerError', message: upstream },
    { status: 403, body: 'json', code: 'Forbidden', message: upstream },
  ]) {
    await world.stack.keyVault('POST', '/faults', { vault: 'busy-kv', action: 'status', ...fault });
    await api('POST', '/api/operator/looks', { account: 'busy' });
    await api('PATCH', at, { properties: { encryption: { type: 'SystemKey' } } });
    await world.stack.keyVault('DELETE', '/faults');
  }
  await world.stack.keyVault('PATCH', '/vaults/busy-kv/keys/cmk', { enabled: false });
  await sweptUntil(seen, 'busy', ({ properties }) => properties.state === 'CustomerKeyInaccessible');
  await api('PATCH', at, { tags: {} });
  await world.stack.keyVault('PATCH', '/vaults/busy-kv/keys/cmk', { enabled: true });
  await sweptUntil(seen, 'busy', ({ properties }) => properties.state === 'Enabled');
  await api('GET', '/api/health/ready');
  const options = { allowInsecureConnection: true };
  const table = TableClient.fromConnectionString(world.stack.azurite.connectionString, 'keywardaccounts', options);
  blobs = [];
  for await (const row of table.listEntities<{ data: string }>()) {
    const { wrappedAccountKey, sealed } = JSON.parse(row.data);
    blobs.push(...[wrappedAccountKey, sealed].filter((blob) => blob !== undefined).map((blob) => blob.slice(8, 80)));
  }
  await api('DELETE', at);
});

test('INV-9: no log line, metric, answer or announcement holds key material, a token, a blob, a query string or an upstream body', () => {
  const said = [
    ...world.records.map((record) => JSON.stringify(record)),
    ...answers.map(({ body }) => JSON.stringify(body) ?? ''),
    ...announced.map((event) => JSON.stringify(event)),
  ];
  const secrets = {
    'a secret’s value': [value.toString('base64').slice(0, -2), value.toString('latin1'), value.toString('hex')],
    'a token': token
      .split('.')
      .slice(1)
      .map((part) => part.slice(0, 60)),
    'a stored blob': blobs,
    'a query string': ['forged-signature'],
    'an upstream body': [upstream],
  };
  expect(blobs.length).toBeGreaterThanOrEqual(3);
  for (const [what, forms] of Object.entries(secrets))
    for (const form of forms)
      expect(
        said.filter((one) => one.includes(form)),
        what,
      ).toEqual([]);
  // The log does not repeat input of a caller either. A response may, to name the property.
  expect(
    world.records.filter((record) => JSON.stringify(record).includes(inBodies) && !/eventType/.test(record.message)),
  ).toEqual([]);
  expect(announced.length).toBeGreaterThan(5);
  // Checks that the search would find a secret.
  expect(said.some((one) => one.includes('busy-kv'))).toBe(true);
});

describe('metrics', () => {
  const metrics = () =>
    world.records.flatMap(({ message }) =>
      message.startsWith('Metric ') ? [JSON.parse(message.slice('Metric '.length)) as Record<string, unknown>] : [],
    );
  const labelsOf = (metric: string) =>
    metrics().flatMap(({ metric: name, value: _, ...labels }) => (name === metric ? [labels] : []));

  test('every event of the scenario has a metric', () => {
    expect(new Set(metrics().map(({ metric }) => metric))).toEqual(
      new Set(
        [
          'looks',
          'looks.ms',
          'looks.oldest.ms',
          'ranges.ms',
          'newest.reads',
          'transitions',
          'leases',
          'reveals',
          'refusals',
          'sweeps.ms',
          'announcements',
        ].map((one) => `keyward.${one}`),
      ),
    );
    expect(labelsOf('keyward.transitions')).toEqual(
      expect.arrayContaining([
        { from: 'Suspect', to: 'Inaccessible', cause: 'KeyDisabled' },
        { from: 'Inaccessible', to: 'Accessible', cause: 'none' },
      ]),
    );
    expect(labelsOf('keyward.looks')).toContainEqual({ status: 'Inaccessible', cause: 'KeyDisabled' });
    expect(labelsOf('keyward.announcements')).toContainEqual({ result: 'published' });
    expect(labelsOf('keyward.reveals')).toEqual([{ kind: 'jobInputs' }, { kind: 'tokenKeys' }]);
    expect(labelsOf('keyward.refusals')).toEqual(
      expect.arrayContaining([
        { code: 'InvalidRequestContent' },
        { code: 'AuthenticationFailed' },
        { code: 'CustomerKeyInaccessible' },
      ]),
    );
  });

  test('every metric has a number, and labels of one word each', () => {
    for (const { metric, value: number, ...labels } of metrics()) {
      expect(metric).toMatch(/^keyward\.[a-z.]+$/);
      expect(number).toEqual(expect.any(Number));
      for (const [name, label] of Object.entries(labels)) {
        expect(label).toMatch(/^[A-Za-z]+$/);
        if (name === 'cause') expect(label === 'none' || isCause(String(label))).toBe(true);
      }
    }
  });
});
