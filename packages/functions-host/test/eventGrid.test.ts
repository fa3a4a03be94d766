import { describe, expect, test } from 'vitest';
import { eventually, gate, startApp } from './app.ts';

const keys = { master: 'master-key', function: 'function-key', eventgrid_extension: 'eg-key' };
const source = `
  app.eventGrid('onEvent', { async handler(event, context) {
    probe.seen.push(event);
    probe.metadata = context.triggerMetadata;
    await probe.opened;
    if (probe.fail?.has(event.id)) throw new Error('no');
  } });
  app.http('other', { handler() {} });`;
const event = (id: string) => ({
  id,
  topic: '/subscriptions/s',
  subject: 'key',
  eventType: 'Microsoft.KeyVault.KeyNewVersionCreated',
  eventTime: '2026-01-01T00:00:00Z',
  data: { Id: 'https://v.vault.azure.net/keys/key/1', VaultName: 'v' },
  dataVersion: '1',
});

async function deliver(
  url: string,
  body: unknown,
  { type = 'Notification', query = 'functionName=onEvent&code=eg-key', path = '/runtime/webhooks/EventGrid' } = {},
) {
  const headers: Record<string, string> = type === '' ? {} : { 'aeg-event-type': type };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${url}${path}?${query}`, { method: 'POST', headers, body: text });
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
}

describe('the Event Grid webhook', () => {
  test('the webhook invokes the function once for each event of a delivery, with the event unchanged', async () => {
    const { host, probe } = await startApp({ source, keys });
    expect((await deliver(host.url, [event('a'), event('b')])).status).toBe(202);
    expect(probe.seen).toEqual([event('a'), event('b')]);
  });

  test('the webhook runs the events of a delivery in parallel', async () => {
    const { opened, open } = gate();
    const { host, probe } = await startApp({ source, keys, probe: { opened } });
    const answer = deliver(host.url, [event('a'), event('b'), event('c')]);
    await eventually(() => probe.seen.length).toBe(3);
    open();
    expect((await answer).status).toBe(202);
  });

  test('the webhook returns 500 when an event fails, and 202 when the repeated delivery succeeds', async () => {
    const fail = new Set(['b']);
    const { host, probe } = await startApp({ source, keys, probe: { fail } });
    expect((await deliver(host.url, [event('a'), event('b')])).status).toBe(500);
    fail.clear();
    expect((await deliver(host.url, [event('a'), event('b')])).status).toBe(202);
    expect(probe.seen.map((one) => (one as { id: string }).id)).toEqual(['a', 'b', 'a', 'b']);
  });

  test('the webhook accepts a single CloudEvent that is not in an array', async () => {
    const cloudEvent = { id: 'c', source: '/s', type: 't', specversion: '1.0', data: { a: 1 } };
    const { host, probe } = await startApp({ source, keys });
    expect((await deliver(host.url, cloudEvent)).status).toBe(202);
    expect(probe.seen).toEqual([cloudEvent]);
  });

  test("the trigger metadata has the event's top-level properties, parsed where they are JSON", async () => {
    const { host, probe } = await startApp({ source, keys });
    await deliver(host.url, [{ ...event('1'), EventTime: 'x' }]);
    expect(probe.metadata).toMatchObject({ id: 1, subject: 'key', eventTime: 'x', data: { vaultName: 'v' } });
  });

  test('a function of cardinality many receives a delivery as one array', async () => {
    const many = `app.generic('onEvents', {
      trigger: { type: 'eventGridTrigger', name: 'events', cardinality: 'many' },
      handler(events) { probe.seen.push(events.length); },
    });`;
    const { host, probe } = await startApp({ source: many, keys });
    await deliver(host.url, [event('a'), event('b')], { query: 'functionName=onEvents&code=eg-key' });
    expect(probe.seen).toEqual([2]);
  });

  test.each([
    ['Event Grid schema', [{ ...event('v'), data: { validationCode: 'code-1', validationUrl: 'https://x' } }]],
    ['CloudEvents schema', { id: 'v', specversion: '1.0', data: '{"validationCode":"code-1"}' }],
  ])('the webhook answers the validation handshake of the %s without calling the function', async (_, body) => {
    const { host, probe } = await startApp({ source, keys });
    const answer = await deliver(host.url, body, { type: 'SubscriptionValidation' });
    expect([answer.status, answer.text]).toEqual([200, '{"validationResponse":"code-1"}']);
    expect(answer.type).toContain('application/json');
    expect(probe.seen).toEqual([]);
  });

  test.each<[what: string, options: Parameters<typeof deliver>[2], body: unknown, status: number]>([
    ['Unsubscribe', { type: 'Unsubscribe' }, [], 202],
    ['an unknown event type', { type: 'Surprise' }, [], 400],
    ['no event type', { type: '' }, [], 400],
    ['a validation without a code', { type: 'SubscriptionValidation' }, [{}], 400],
    ['a notification that is not JSON', {}, '{', 500],
    ['a validation that is not JSON', { type: 'SubscriptionValidation' }, '{', 500],
    ['an empty delivery', {}, [], 202],
    [
      'any spelling of path and event type',
      { type: 'NOTIFICATION', path: '/Runtime/Webhooks/eventgrid' },
      [event('a')],
      202,
    ],
    ['any spelling of the parameter', { query: 'functionname=onEvent&code=eg-key' }, [event('a')], 202],
    ['the master key', { query: 'functionName=onEvent&code=master-key' }, [event('a')], 202],
    ['no key', { query: 'functionName=onEvent' }, [event('a')], 401],
    ['a function key', { query: 'functionName=onEvent&code=function-key' }, [event('a')], 401],
    ['an unknown function, even with another case', { query: 'functionName=onevent&code=eg-key' }, [event('a')], 404],
    ['a function that is no Event Grid trigger', { query: 'functionName=other&code=eg-key' }, [event('a')], 404],
    ['no function name', { query: 'code=eg-key' }, [event('a')], 404],
    ['an unknown function and a bad key', { query: 'functionName=missing&code=x' }, [event('a')], 401],
  ])('the webhook returns the documented status for %s', async (_, options, body, status) => {
    const { host } = await startApp({ source, keys });
    expect((await deliver(host.url, body, options)).status).toBe(status);
  });
});
