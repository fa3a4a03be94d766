import { type QueueClient, QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Azurite, startAzurite } from '../../../src/local/azurite.ts';
import { decodeText, pollPause, stepAfterRun, stepBeforeRun } from '../src/queueMessage.ts';
import { type AppFiles, eventually, type Finished, gate, startApp } from './app.ts';

let azurite: Azurite;
let service: QueueServiceClient;
beforeAll(async () => {
  azurite = await startAzurite({ inMemory: true });
  service = QueueServiceClient.fromConnectionString(azurite.connectionString);
});
afterAll(() => azurite.stop());

const base64 = (text: string) => Buffer.from(text).toString('base64');
const unbase64 = (text: string) => Buffer.from(text, 'base64').toString();
let queues = 0;
const newQueue = () => `work-${++queues}`;

/** Starts an app with one queue function on its own queue, which polls often. */
async function startWorker(
  finished: Finished,
  handler: string,
  options: Partial<Parameters<typeof startApp>[0]> & { queues?: object; name?: string } = {},
) {
  const { queues: knobs, name = newQueue(), ...rest } = options;
  const setting = `HOST_TEST_${name.replace('-', '_')}`;
  const hostJson: AppFiles['hostJson'] = {
    version: '2.0',
    extensions: { queues: { maxPollingInterval: '00:00:00.2', ...knobs } },
  };
  const started = await startApp({
    finished,
    source: `app.storageQueue('work', { queueName: '%${setting}%', connection: 'HOST_TEST_STORAGE', handler: ${handler} });`,
    hostJson,
    settings: { [setting]: name, HOST_TEST_STORAGE: azurite.connectionString },
    ...rest,
  });
  const queue = service.getQueueClient(name);
  await eventually(() => queue.exists()).toBe(true);
  return { ...started, queue, poison: service.getQueueClient(`${name}-poison`) };
}

const remaining = async (queue: QueueClient) => (await queue.getProperties()).approximateMessagesCount;
async function texts(queue: QueueClient): Promise<string[]> {
  if (!(await queue.exists())) return [];
  const answer = await queue.peekMessages({ numberOfMessages: 32 });
  return answer.peekedMessageItems.map((item) => item.messageText);
}

describe.concurrent('a queue function', () => {
  test('a queue function gets its queue created, the message as JSON and its metadata, and the message is deleted', async ({
    onTestFinished: finished,
  }) => {
    const { probe, queue } = await startWorker(
      finished,
      '(message, context) => { probe.seen.push(message, context.triggerMetadata); }',
    );
    const sent = await queue.sendMessage(base64('{"vault":"v1"}'));
    await eventually(() => probe.seen.length).toBe(2);
    const [message, metadata] = probe.seen;
    expect(message).toEqual({ vault: 'v1' });
    expect(metadata).toEqual({
      id: sent.messageId,
      dequeueCount: 1,
      popReceipt: expect.any(String),
      insertionTime: sent.insertedOn.toISOString(),
      expirationTime: sent.expiresOn.toISOString(),
      nextVisibleTime: expect.stringMatching(/^\d{4}-.*Z$/),
      queueTrigger: { vault: 'v1' },
      vault: 'v1',
    });
    await eventually(() => remaining(queue)).toBe(0);
  });

  test.for<[text: string, message: unknown]>([
    ['plain text', 'plain text'],
    ['{"broken":', '{"broken":'],
    ['[1,2]', [1, 2]],
    ['ünï', 'ünï'],
    // A JSON number loses precision, so a message should be an object.
    ['12345678901234567890', 12345678901234567000],
  ])('a queue function receives the message %s as %o', async ([text, message], { onTestFinished: finished }) => {
    const { probe, queue } = await startWorker(finished, '(message) => { probe.seen.push(message); }');
    await queue.sendMessage(base64(text));
    await eventually(() => probe.seen).toEqual([message]);
  });

  test('a message can overwrite the trigger metadata of a queue function', async ({ onTestFinished: finished }) => {
    const { probe, queue } = await startWorker(
      finished,
      '(message, context) => { probe.seen.push(context.triggerMetadata.dequeueCount); }',
    );
    await queue.sendMessage(base64('{"DEQUEUECOUNT":99}'));
    await eventually(() => probe.seen).toEqual([99]);
  });

  test('a queue function receives plain text with messageEncoding none in host.json', async ({
    onTestFinished: finished,
  }) => {
    const { probe, queue } = await startWorker(finished, '(message) => { probe.seen.push(message); }', {
      queues: { messageEncoding: 'none' },
    });
    await queue.sendMessage('as it is');
    await eventually(() => probe.seen).toEqual(['as it is']);
  });

  test('a failed queue function gets the message again after the visibility timeout, with a higher count', async ({
    onTestFinished: finished,
  }) => {
    const { probe, queue, logged } = await startWorker(
      finished,
      `(message, context) => {
        probe.seen.push({ count: context.triggerMetadata.dequeueCount, at: Date.now() });
        if (probe.seen.length < 2) throw new Error('not yet');
      }`,
      { queues: { visibilityTimeout: '00:00:01' } },
    );
    await queue.sendMessage(base64('{}'));
    await eventually(() => probe.seen.length).toBe(2);
    const [first, second] = probe.seen as { count: number; at: number }[];
    expect([first?.count, second?.count]).toEqual([1, 2]);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(700);
    await eventually(() => remaining(queue)).toBe(0);
    expect(logged('error')).toEqual([expect.stringContaining('not yet')]);
  });

  test('a message that fails maxDequeueCount times reaches the poison queue unchanged', async ({
    onTestFinished: finished,
  }) => {
    const { probe, queue, poison } = await startWorker(
      finished,
      "() => { probe.seen.push(1); throw new Error('never'); }",
      {
        queues: { maxDequeueCount: 3 },
      },
    );
    await queue.sendMessage(base64('{"n":1}'));
    await eventually(async () => (await texts(poison)).map(unbase64)).toEqual(['{"n":1}']);
    expect(probe.seen).toHaveLength(3);
    await eventually(() => remaining(queue)).toBe(0);
  });

  test('a message that is not base64 reaches the poison queue without a call of the function', async ({
    onTestFinished: finished,
  }) => {
    const { probe, queue, poison, records } = await startWorker(finished, '(message) => { probe.seen.push(message); }');
    await queue.sendMessage('not base64!');
    await eventually(() => texts(poison)).toEqual(['not base64!']);
    expect(probe.seen).toEqual([]);
    // The SDK does not say that the message is not base64 (QueueServiceClientProvider, QueueProcessor).
    const message = `Message has reached MaxDequeueCount of 5. Moving message to queue '${poison.name}'.`;
    expect(records.slice(1)).toEqual([
      { level: 'warning', category: 'Host.Triggers.Queue', message, at: expect.any(Number) },
    ]);
  });

  test('a message whose host died maxDequeueCount times reaches the poison queue without a call of the function', async ({
    onTestFinished: finished,
  }) => {
    const name = newQueue();
    const queue = service.getQueueClient(name);
    await queue.create();
    await queue.sendMessage(base64('{}'));
    const taken = (await queue.receiveMessages({ visibilityTimeout: 1 })).receivedMessageItems;
    expect(taken).toHaveLength(1);
    const { probe, poison } = await startWorker(finished, '() => { probe.seen.push(1); }', {
      name,
      queues: { maxDequeueCount: 1 },
    });
    await eventually(() => texts(poison)).toEqual([base64('{}')]);
    expect(probe.seen).toEqual([]);
  });

  test('a queue function runs at most batchSize + newBatchThreshold messages at a time', async ({
    onTestFinished: finished,
  }) => {
    const { opened, open } = gate();
    const name = newQueue();
    const queue = service.getQueueClient(name);
    await queue.create();
    await Promise.all(Array.from({ length: 12 }, () => queue.sendMessage(base64('{}'))));
    const { probe } = await startWorker(
      finished,
      `async () => {
        probe.now = (probe.now ?? 0) + 1; probe.most = Math.max(probe.most ?? 0, probe.now);
        await probe.opened; probe.now--; probe.seen.push(1);
      }`,
      { name, queues: { batchSize: 4, newBatchThreshold: 2 }, probe: { opened } },
    );
    await eventually(() => probe.now).toBe(4);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(probe.now).toBe(4);
    open();
    await eventually(() => probe.seen.length).toBe(12);
    expect(probe.most).toBeLessThanOrEqual(6);
  });

  test('a message stays hidden while its function runs longer than the visibility timeout', async ({
    onTestFinished: finished,
  }) => {
    const { probe, queue } = await startWorker(
      finished,
      'async () => { probe.seen.push(1); await new Promise((resolve) => setTimeout(resolve, 2600)); probe.done = true; }',
      { queueVisibilityMs: 1000 },
    );
    await queue.sendMessage(base64('{}'));
    await eventually(() => probe.done).toBe(true);
    await eventually(() => remaining(queue)).toBe(0);
    expect(probe.seen).toHaveLength(1);
  });

  test('pollQueue takes every message of the queue now, and rejects the name of another function', async ({
    onTestFinished: finished,
  }) => {
    const { host, probe, queue } = await startWorker(finished, '(message) => { probe.seen.push(message); }', {
      queues: { maxPollingInterval: '00:01:00' },
    });
    const messages = Array.from({ length: 20 }, (_, n) => `${n}`);
    for (const message of messages) await queue.sendMessage(base64(`number ${message}`));
    await host.pollQueue('work');
    expect(await texts(queue)).toEqual([]);
    await eventually(() => probe.seen).toHaveLength(messages.length);
    await expect(host.pollQueue('none')).rejects.toThrow("There is no queue function 'none'.");
  });

  test('a stopping host finishes the current message and receives no other', async ({ onTestFinished: finished }) => {
    const { opened, open } = gate();
    const { host, probe, queue } = await startWorker(
      finished,
      'async (message) => { probe.seen.push(message); await probe.opened; }',
      {
        probe: { opened },
      },
    );
    await queue.sendMessage(base64('first'));
    await eventually(() => probe.seen).toEqual(['first']);
    const stopped = host.stop();
    await queue.sendMessage(base64('second'));
    open();
    await stopped;
    expect(probe.seen).toEqual(['first']);
    expect((await texts(queue)).map(unbase64)).toEqual(['second']);
  });

  test('a message whose function does not end before the stop becomes visible again', async ({
    onTestFinished: finished,
  }) => {
    const { opened, open } = gate();
    const { host, probe, queue } = await startWorker(
      finished,
      'async () => { probe.seen.push(1); await probe.opened; }',
      {
        probe: { opened },
        queueVisibilityMs: 1000,
        drainMs: 50,
      },
    );
    await queue.sendMessage(base64('{}'));
    await eventually(() => probe.seen.length).toBe(1);
    await host.stop();
    await eventually(() => texts(queue)).toHaveLength(1);
    open();
  });

  test('unavailable storage is logged and retried, and does not prevent the stop', async ({
    onTestFinished: finished,
  }) => {
    const connectionString = azurite.connectionString.replace(azurite.queueUrl, 'http://127.0.0.1:9/devstoreaccount1');
    const { host, logged } = await startApp({
      finished,
      source: `app.storageQueue('work', { queueName: 'dead', connection: 'HOST_TEST_DEAD', handler() {} });`,
      settings: { HOST_TEST_DEAD: connectionString },
      drainMs: 100,
    });
    await eventually(() => logged('warning')).toContainEqual(expect.stringContaining('polling dead failed'));
    await host.stop();
  });
});

describe.concurrent('a message that no handler can read', () => {
  test('a message that is not UTF-8 reaches the poison queue unchanged after maxDequeueCount attempts', async ({
    onTestFinished: finished,
  }) => {
    const { probe, queue, poison, logged } = await startWorker(finished, '() => { probe.seen.push(1); }', {
      queues: { maxDequeueCount: 2 },
    });
    await queue.sendMessage('/w==');
    await eventually(() => texts(poison)).toEqual(['/w==']);
    expect(probe.seen).toEqual([]);
    const failed = expect.stringMatching(/^Executed 'Functions\.work' \(Failed, Id=.*\n.*the message is not UTF-8/);
    expect(logged('error')).toEqual([failed, failed]);
  });

  test('a message in a poison queue that is not base64 stays there, and no second poison queue is created', async ({
    onTestFinished: finished,
  }) => {
    const name = `${newQueue()}-poison`;
    const { probe, queue, records } = await startWorker(finished, '() => { probe.seen.push(1); }', { name });
    await queue.sendMessage('not base64!');
    // Received and hidden: the host logs nothing about it.
    await eventually(() => texts(queue)).toEqual([]);
    expect(probe.seen).toEqual([]);
    expect(records.slice(1)).toEqual([]);
    expect(await remaining(queue)).toBe(1);
    expect(await service.getQueueClient(`${name}-poison`).exists()).toBe(false);
  });

  test('a failing handler of a poison queue gets the message again when it is visible, maxDequeueCount times in all', async ({
    onTestFinished: finished,
  }) => {
    const name = `${newQueue()}-poison`;
    const { probe, queue } = await startWorker(
      finished,
      "() => { probe.seen.push(Date.now()); throw new Error('no'); }",
      { name, queues: { maxDequeueCount: 2 }, queueVisibilityMs: 1000 },
    );
    await queue.sendMessage(base64('{}'));
    await eventually(() => probe.seen.length).toBe(2);
    const [first = 0, second = 0] = probe.seen as number[];
    expect(second - first).toBeGreaterThan(900);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(probe.seen).toHaveLength(2);
    expect(await remaining(queue)).toBe(1);
  });
});

describe('a connection', () => {
  test('an invalid connection string is refused without its content in the message', async () => {
    const source = `app.storageQueue('work', { queueName: 'work', connection: 'HOST_TEST_WRONG', handler() {} });`;
    const { errors } = await startApp({ source, settings: { HOST_TEST_WRONG: 'AccountKey=secret' } });
    expect(errors()).toEqual([
      "The 'work' function is in error: the setting HOST_TEST_WRONG is not a storage connection string",
    ]);
  });
});

describe('the decisions about a message', () => {
  test.each([
    [true, 1, 'work', 'Delete'],
    [false, 4, 'work', 'Release'],
    [false, 5, 'work', 'Poison'],
    [false, 6, 'work', 'Poison'],
    [true, 1, 'work-poison', 'Delete'],
    [false, 1, 'work-poison', 'Leave'],
  ])('after a run with success %s at attempt %i in queue %s the next step is %s', (succeeded, count, name, step) => {
    expect(stepAfterRun(succeeded, count, { name, maxDequeueCount: 5 })).toBe(step);
  });

  test.each([
    ['Text', 5, 'work', undefined],
    ['Text', 6, 'work', 'Poison'],
    ['NotUtf8', 5, 'work', undefined],
    ['NotBase64', 1, 'work', 'Poison'],
    ['Text', 5, 'work-poison', undefined],
    ['Text', 6, 'work-poison', 'Leave'],
    ['NotBase64', 1, 'work-poison', 'Leave'],
  ] as const)(
    'before a run of a message of kind %s at attempt %i in queue %s the next step is %s',
    (kind, count, name, step) => {
      const decoded = kind === 'Text' ? { kind, text: '{}' } : { kind };
      expect(stepBeforeRun(decoded, count, { name, maxDequeueCount: 5 })).toBe(step);
    },
  );

  test('the pauses between polls grow from 100 ms to the bound', () => {
    const pauses = [1, 2, 3, 4, 5, 100].map((empty) => pollPause(empty, 2000, 0.5));
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 2000]);
  });

  test.each([
    ['eyJhIjoxfQ==', { kind: 'Text', text: '{"a":1}' }],
    ['', { kind: 'Text', text: '' }],
    ['not base64!', { kind: 'NotBase64' }],
    ['YQ', { kind: 'NotBase64' }],
    // The byte FF, which UTF-8 never has.
    ['/w==', { kind: 'NotUtf8' }],
  ])('the message %j decodes to %j', (text, decoded) => {
    expect(decodeText(text, 'base64')).toEqual(decoded);
  });
});
