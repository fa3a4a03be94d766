/** The local topic against the protocol of Azure Event Grid, through the SDK's client where that is possible. */
import { EventGridPublisherClient } from '@azure/eventgrid';
import { ManagedIdentityCredential } from '@azure/identity';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Identity, startIdentity } from '../../packages/entra-emulator/src/issuer.ts';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { createAnnouncementTopic } from '../../src/azure/announcementTopic.ts';
import { throughEmulator } from '../../src/azure/emulators.ts';
import type { Announcement } from '../../src/core/announcements/announcement.ts';
import { directory, topicOf } from '../../src/local/operator.ts';
import { lineOf } from '../../src/local/topic/line.ts';
import { startTopic, type Topic } from '../../src/local/topic/topic.ts';

let identity: Identity;
let topic: Topic;
beforeAll(async () => {
  identity = await startIdentity(directory);
  Object.assign(process.env, identity.environment);
  topic = await startTopic(topicOf(identity));
});
afterEach(() => topic.fail());
afterAll(async () => {
  await topic.stop();
  await identity.stop();
});

const event = { id: 'a/1', source: '/here', type: 'Keyward.AccountCreated', subject: '/accounts/a', data: { a: 1 } };
const batchType = 'application/cloudevents-batch+json; charset=utf-8';

async function tokenFor(resource: string, name = 'keyward-app'): Promise<string> {
  const { access_token } = await keyVaultControl(identity.url)<{ access_token: string }>('POST', '/token', {
    identity: name,
    resource,
  });
  return access_token;
}

/** Posts as the client does; returns the status. */
async function post(body: unknown, more: { path?: string; type?: string; token?: string } = {}): Promise<number> {
  const { path = '/api/events?api-version=2018-01-01', type = batchType, token } = more;
  const authorization = `Bearer ${token ?? (await tokenFor('https://eventgrid.azure.net'))}`;
  const headers = { 'content-type': type, authorization };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(topic.url + path, { method: 'POST', headers, body: text });
  return response.status;
}

describe('the topic takes', () => {
  test('the topic stores what the SDK publishes by managed identity', async () => {
    const secure = topic.endpoint.replace('http:', 'https:');
    const httpClient = throughEmulator(new URL(secure).origin, topic.url);
    const client = new EventGridPublisherClient(secure, 'CloudEvent', new ManagedIdentityCredential(), { httpClient });
    await client.send([{ ...event, time: new Date(0) }]);
    expect(topic.published.at(-1)).toEqual({
      ...event,
      specversion: '1.0',
      datacontenttype: 'application/json',
      time: '1970-01-01T00:00:00.000Z',
    });
    const stored = await (await fetch(`${topic.url}/control/events`)).json();
    expect(stored).toEqual(topic.published);
  });

  test('the topic accepts a batch of events with any extension attribute', async () => {
    const whole = { ...event, specversion: '1.0' };
    expect(await post([whole, { ...whole, id: 'a/2', traceparent: 'x' }])).toBe(200);
  });
});

describe('the topic refuses', () => {
  const whole = { ...event, specversion: '1.0' };
  test.each<[string, number, unknown, Parameters<typeof post>[1]?]>([
    ['an event without a version', 400, [event]],
    ['an event without an id', 400, [{ ...whole, id: '' }]],
    ['an event with an attribute that CloudEvents does not permit', 400, [{ ...whole, accountName: 'a' }]],
    ['one event that is no batch', 400, whole],
    ['an empty batch', 400, []],
    ['a body that is no JSON', 400, '[{'],
    ['more events than a batch may have', 400, Array.from({ length: 5001 }, () => whole)],
    ['another content type', 400, [whole], { type: 'application/json' }],
    ['another version of the protocol', 400, [whole], { path: '/api/events?api-version=2020-01-01' }],
    ['more than 1 MB', 413, [{ ...whole, data: 'x'.repeat(1_048_576) }]],
    ['a token that is none', 401, [whole], { token: 'x' }],
    ['another path', 404, [whole], { path: '/' }],
  ])('the topic refuses %s', async (_, status, body, more) => {
    const before = topic.published.length;
    expect(await post(body, more)).toBe(status);
    expect(topic.published).toHaveLength(before);
  });

  test('the topic refuses a token for another service, and a token of a principal without the role', async () => {
    expect(await post([whole], { token: await tokenFor('https://vault.azure.net') })).toBe(401);
    expect(await post([whole], { token: await tokenFor('https://eventgrid.azure.net', 'operator') })).toBe(401);
  });
});

describe('the client of the app', () => {
  const announcement = { ...event, time: '2026-11-23T19:49:10.000Z' } as unknown as Announcement;
  const publish = (one = announcement, endpoint = topic.endpoint) =>
    createAnnouncementTopic(endpoint, new ManagedIdentityCredential()).publish([one]);

  test("the app's client distinguishes a final refusal from a failure", async () => {
    expect(await publish()).toEqual({ outcome: 'published' });
    expect(await publish({ ...announcement, id: '' })).toEqual({ outcome: 'refused', status: '400' });
    const large = { ...announcement, data: { a: 'x'.repeat(1_100_000) } } as unknown as Announcement;
    expect(await publish(large)).toEqual({ outcome: 'refused', status: '413' });
    for (const status of [401, 403, 404, 500, 503]) {
      topic.fail({ status });
      expect(await publish()).toEqual({ outcome: 'failed', status: String(status) });
    }
    expect(await publish(announcement, 'http://127.0.0.1:1/api/events')).toEqual({
      outcome: 'failed',
      status: 'ECONNREFUSED',
    });
  });

  test("the app's client retries a failed publication once", async () => {
    const before = topic.requests;
    topic.fail({ status: 503 });
    await publish();
    expect(topic.requests - before).toBe(2);
  });

  test("a failure of the app's identity is reported by its error name, without its message", async () => {
    class NoToken extends Error {
      override readonly name = 'NoToken';
    }
    const getToken = async () => {
      throw new NoToken('a message of another component');
    };
    const { publish } = createAnnouncementTopic(topic.endpoint, { getToken });
    expect(await publish([announcement])).toEqual({ outcome: 'failed', status: 'NoToken' });
  });
});

test('an announcement becomes one line of the log', () => {
  const data = {
    keyReleasedBy: '2026-11-23T19:54:00.000Z',
    key: `https://k/keys/a/${'0f'.repeat(16)}`,
    cause: 'KeyDisabled',
    hash: 'x',
  };
  expect(lineOf({ ...event, specversion: '1.0', data })).toBe(
    'Keyward.AccountCreated, /accounts/a, keyReleasedBy 2026-11-23T19:54:00.000Z, key https://k/keys/a/0f0f0f0f, cause KeyDisabled',
  );
});
