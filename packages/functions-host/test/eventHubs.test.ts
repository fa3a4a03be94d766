import { describe, expect, test } from 'vitest';
import { eventually, startApp } from './app.ts';

const settings = { HOST_TEST_HUB: 'Endpoint=sb://hub.example/;SharedAccessKey=x' };
const hub = (cardinality: string, body: string) => `
  app.eventHub('logs', { eventHubName: 'logs', connection: 'HOST_TEST_HUB', cardinality: '${cardinality}', async handler(events, context) {
    ${body}
  } });`;

describe('an Event Hub function', () => {
  test('an Event Hub function of cardinality many receives the parsed events of a batch, with their metadata', async () => {
    const { host, probe } = await startApp({
      source: hub('many', 'probe.seen.push(events, context.triggerMetadata);'),
      settings,
    });
    await host.feedEventHub('LOGS', [{ records: [1] }, 'plain text']);
    const [events, metadata] = probe.seen;
    expect(events).toEqual([{ records: [1] }, 'plain text']);
    expect(metadata).toMatchObject({
      partitionContext: { eventHubName: 'logs', consumerGroup: '$Default' },
      sequenceNumberArray: [0, 1],
      enqueuedTimeUtcArray: [expect.stringMatching(/Z$/), expect.stringMatching(/Z$/)],
    });
  });

  test('an Event Hub function of cardinality one receives one event for each invocation', async () => {
    const { host, probe } = await startApp({
      source: hub('one', 'probe.seen.push([events, context.triggerMetadata.sequenceNumber]);'),
      settings,
    });
    await host.feedEventHub('logs', [{ n: 1 }, { n: 2 }]);
    expect(probe.seen).toEqual([
      [{ n: 1 }, 0],
      [{ n: 2 }, 1],
    ]);
  });

  test('an Event Hub function receives one batch of at most maxEventBatchSize after the other, and no failed batch again', async () => {
    const { host, probe } = await startApp({
      source: hub('many', "probe.seen.push(events.length); if (events.length === 2) throw new Error('no');"),
      hostJson: { version: '2.0', extensions: { eventHubs: { maxEventBatchSize: 2 } } },
      settings,
    });
    await expect(host.feedEventHub('logs', [1, 2, 3])).rejects.toThrow('no');
    expect(probe.seen).toEqual([2, 1]);
  });

  test('an admin page feeds an Event Hub function, with the master key only', async () => {
    const { host, probe } = await startApp({
      source: hub('many', 'probe.seen.push(...events);'),
      settings,
      keys: { master: 'master-key' },
    });
    const post = (name: string, body: string, key = 'master-key') =>
      fetch(`${host.url}/admin/eventHubs/${name}`, { method: 'POST', body, headers: { 'x-functions-key': key } });
    expect((await post('logs', '[{"n":1}]', 'other')).status).toBe(401);
    expect((await post('other', '[1]')).status).toBe(404);
    expect((await post('logs', '{}')).status).toBe(400);
    expect((await post('logs', '[{"n":1}]')).status).toBe(202);
    await eventually(() => probe.seen).toEqual([{ n: 1 }]);
  });
});

test('an event hub without a function is an error of the caller', async () => {
  const { host } = await startApp({ source: `app.http('a', { handler() {} });` });
  await expect(host.feedEventHub('logs', [])).rejects.toThrow("No function has the event hub 'logs'.");
});
