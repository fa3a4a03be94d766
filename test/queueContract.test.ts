import { setTimeout as sleep } from 'node:timers/promises';
import { QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppFiles, startApp } from '../packages/functions-host/test/app.ts';
import { openQueueService } from '../src/azure/queueService.ts';
import { createWorkQueue } from '../src/azure/workQueue.ts';
import type { WorkQueue } from '../src/core/base/workQueue.ts';
import type { VaultWork } from '../src/core/watch/ports.ts';
import { type Azurite, startAzurite } from '../src/local/azurite.ts';
import { createVirtualClock, createVirtualQueue } from '../src/local/lab/virtualTime.ts';

type Handler = (message: VaultWork) => Promise<void>;

/** A queue with a handler of its messages, and its clock. */
interface Bench {
  readonly queue: WorkQueue<VaultWork>;
  /** Sets the handler of the messages from now on. */
  handleBy(handler: Handler): void;
  pass(seconds: number): Promise<void>;
  /** How long a message is hidden after a failure. */
  readonly hiddenSeconds: number;
  poison(): Promise<readonly unknown[]>;
  isEmpty(): Promise<boolean>;
}

type Finished = NonNullable<Parameters<typeof startApp>[0]['finished']>;

async function virtualBench(): Promise<Bench> {
  const clock = createVirtualClock(Date.now());
  const queue = createVirtualQueue<VaultWork>(clock);
  let handler: Handler = async () => undefined;
  return {
    queue,
    hiddenSeconds: 10,
    handleBy(by) {
      handler = by;
    },
    async pass(seconds) {
      const end = clock.now() + seconds * 1000;
      for (let at = queue.nextAt(); at !== undefined && at <= end; at = queue.nextAt()) {
        clock.set(Math.max(clock.now(), at));
        await queue.deliver(handler);
      }
      clock.set(end);
    },
    poison: async () => queue.poison,
    isEmpty: async () => queue.length === 0,
  };
}

let azurite: Azurite | undefined;
let benches = 0;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite?.stop());

/** The app's adapter, which sends, and the local host's trigger, which receives. */
async function realBench(finished: Finished): Promise<Bench> {
  benches += 1;
  const name = `contract-${benches}`;
  const connectionString = azurite?.connectionString ?? '';
  const hostJson: AppFiles['hostJson'] = {
    version: '2.0',
    extensions: { queues: { maxPollingInterval: '00:00:00.1', visibilityTimeout: '00:00:01', maxDequeueCount: 5 } },
  };
  const { probe } = await startApp({
    finished,
    source: `app.storageQueue('work', { queueName: '${name}', connection: 'CONTRACT_STORAGE', handler: (message) => probe.handle(message) });`,
    hostJson,
    settings: { CONTRACT_STORAGE: connectionString },
  });
  const service = QueueServiceClient.fromConnectionString(connectionString);
  const work = service.getQueueClient(name);
  const poison = service.getQueueClient(`${name}-poison`);
  return {
    queue: createWorkQueue<VaultWork>(name, await openQueueService({ connectionString, deadlineSeconds: 10 })),
    hiddenSeconds: 1,
    handleBy(by) {
      Object.assign(probe, { handle: by });
    },
    pass: (seconds) => sleep(seconds * 1000),
    async poison() {
      if (!(await poison.exists())) return [];
      const { peekedMessageItems } = await poison.peekMessages({ numberOfMessages: 32 });
      return peekedMessageItems.map(({ messageText }) => JSON.parse(Buffer.from(messageText, 'base64').toString()));
    },
    isEmpty: async () => ((await work.getProperties()).approximateMessagesCount ?? 0) === 0,
  };
}

describe.each([
  ['the virtual queue', virtualBench],
  ['the real queue, received by the trigger of the dev host', realBench],
] as const)('%s', (_title, open) => {
  describe.concurrent('keeps the contract', () => {
    const message: VaultWork = { vault: 'vault-ünï', lookNow: { keyName: 'cmk' }, requestedBy: 'event' };

    test('a message arrives unchanged, once, when its handler succeeds', async ({ onTestFinished }) => {
      const { queue, handleBy, pass, isEmpty } = await open(onTestFinished);
      const seen: VaultWork[] = [];
      handleBy(async (one) => void seen.push(one));
      await queue.send(message);
      await queue.send({ vault: 'other', requestedBy: 'sweep' });
      await pass(2.5);
      const order = (a: VaultWork, b: VaultWork) => a.vault.localeCompare(b.vault);
      expect(seen.toSorted(order)).toEqual([{ vault: 'other', requestedBy: 'sweep' }, message]);
      expect(await isEmpty()).toBe(true);
    });

    test('an object that is changed after the send arrives as it was sent', async ({ onTestFinished }) => {
      const { queue, handleBy, pass } = await open(onTestFinished);
      const seen: VaultWork[] = [];
      handleBy(async (one) => void seen.push(one));
      const mine = { vault: 'before', requestedBy: 'wake' as const };
      await queue.send(mine);
      mine.vault = 'after';
      await pass(2);
      expect(seen).toEqual([{ vault: 'before', requestedBy: 'wake' }]);
    });

    test('a delayed message does not come before its time, which is rounded up to whole seconds', async ({
      onTestFinished,
    }) => {
      const { queue, handleBy, pass } = await open(onTestFinished);
      const seen: VaultWork[] = [];
      handleBy(async (one) => void seen.push(one));
      await queue.send(message, 2_100);
      await pass(2.2);
      expect(seen).toEqual([]);
      await pass(3);
      expect(seen).toEqual([message]);
    });

    test('a message whose handler fails becomes visible again after its visibility time-out, and not before', async ({
      onTestFinished,
    }) => {
      const { queue, handleBy, pass, hiddenSeconds, isEmpty } = await open(onTestFinished);
      let failures = 0;
      const seen: VaultWork[] = [];
      handleBy(async (one) => {
        if (failures++ === 0) throw new Error('The first attempt fails.');
        seen.push(one);
      });
      await queue.send(message);
      await pass(hiddenSeconds / 2);
      expect({ failures, seen }).toEqual({ failures: 1, seen: [] });
      await pass(hiddenSeconds + 1);
      expect(seen).toEqual([message]);
      expect(await isEmpty()).toBe(true);
    });

    test('after five attempts a message is poison, and the others continue', async ({ onTestFinished }) => {
      const { queue, handleBy, pass, hiddenSeconds, poison, isEmpty } = await open(onTestFinished);
      let attempts = 0;
      const seen: VaultWork[] = [];
      handleBy(async (one) => {
        if (one.vault === 'good') return void seen.push(one);
        attempts += 1;
        throw new Error('Every attempt fails.');
      });
      await queue.send(message);
      await queue.send({ vault: 'good', requestedBy: 'wake' });
      await pass(hiddenSeconds * 4 + 5);
      expect(attempts).toBe(5);
      expect(await poison()).toEqual([message]);
      expect(seen).toEqual([{ vault: 'good', requestedBy: 'wake' }]);
      expect(await isEmpty()).toBe(true);
    });
  });
});
