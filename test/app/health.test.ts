import { QueueServiceClient } from '@azure/storage-queue';
import { describe, expect, test } from 'vitest';
import { caller, until } from '../../src/local/client.ts';
import { got, sweepOnce, useStack, vaultWithKey, withCustomerKey } from './support.ts';

/** Three seconds, with what a busy machine adds. Without a limit readiness would wait for minutes. */
const withinMs = 12_000;
const world = useStack();
const ready = () => world.api('GET', '/api/health/ready');
const partsIn = ({ body }: Awaited<ReturnType<typeof ready>>): Record<string, { status: string; cause?: string }> =>
  Object.fromEntries(body.parts.map((part: { name: string }) => [part.name, part]));

test('liveness is public, and returns only that the process answers', async () => {
  const { body } = await got(200, caller(world.stack.host.url, {})('GET', '/api/health/live'));
  expect(body).toEqual({ status: 'alive' });
});

test('readiness needs a role', async () => {
  expect((await caller(world.stack.host.url, {})('GET', '/api/health/ready')).status).toBe(401);
});

test('a failed message of either queue is logged, with any content', async () => {
  const service = QueueServiceClient.fromConnectionString(world.stack.azurite.connectionString);
  const give = async (queue: string, message: unknown) => {
    const poison = service.getQueueClient(`${queue}-poison`);
    await poison.createIfNotExists();
    await poison.sendMessage(Buffer.from(JSON.stringify(message)).toString('base64'));
  };
  await give('vault-work', { vault: '0'.repeat(32), requestedBy: 'sweep' });
  await give('daily-pass', { visit: 'announcements', after: 'x'.repeat(2_000) });
  await give('daily-pass', null);
  const expectedLines = [
    `Work on a vault was given up {"vault":"${'0'.repeat(32)}"`,
    'Work of the daily pass was given up {"visit":"announcements"',
    'Work of the daily pass was given up {"visit":""',
  ];
  const missing = async () =>
    expectedLines.filter((line) => !world.records.some(({ message }) => message.startsWith(line)));
  await until('all are logged', missing, (left) => left.length === 0);
});

test('readiness names the poison queue of a message that stays, and the commands that show and remove it', async () => {
  const queue = QueueServiceClient.fromConnectionString(world.stack.azurite.connectionString).getQueueClient(
    'vault-work-poison',
  );
  await queue.createIfNotExists();
  await queue.sendMessage('not base64!');
  const left = async () => (await ready()).body.poisonQueues;
  const at = '--queue-name vault-work-poison --account-name "$HOST_STORAGE" --auth-mode login';
  await until('the queue is named', left, (queues) =>
    queues?.some(({ queue, remedy }: { queue: string; remedy: string }) => {
      const commands = [`az storage message peek ${at}`, `az storage message clear ${at}`];
      return queue === 'vault-work-poison' && commands.every((command) => remedy.includes(command));
    }),
  );
  await queue.clearMessages();
});

describe('readiness', () => {
  test('before the first sweep, readiness shows that every dependency answers, and no counts of keys', async () => {
    const answer = await got(200, ready());
    expect(answer.body).toMatchObject({
      status: 'ready',
      settings: { status: 'ok', names: [] },
      poisonedMessages: 0,
      poisonQueues: [],
    });
    expect(answer.body).not.toHaveProperty('sweep');
    expect(answer.body).not.toHaveProperty('keys');
    const ok = expect.objectContaining({ status: 'ok', durationMs: expect.any(Number) });
    expect(partsIn(answer)).toEqual({ tables: ok, queue: ok, operatorVault: ok, keyChecks: ok });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('after a sweep, readiness shows its age and the keys by status', async () => {
    const key = await vaultWithKey(world, 'health-kv');
    for (const name of ['health-1', 'health-2'])
      await got(201, world.api('PUT', `/api/accounts/${name}`, withCustomerKey('contoso', key)));
    await sweepOnce(world);
    const counted = async () => (await got(200, ready())).body;
    const body = await until('the keys of every range', counted, ({ keys }) => keys?.isComplete === true);
    expect(body.keys).toMatchObject({ Accessible: 1, Suspect: 0, Inaccessible: 0, Unreachable: 0 });
    expect(Date.now() - Date.parse(body.keys.oldestCheckAt)).toBeLessThan(60_000);
    expect(body.sweep.ageSeconds).toBeLessThan(60);
    expect(Date.now() - Date.parse(body.sweep.lastSweptAt)).toBeLessThan(60_000);
    await world.stack.host.invokeTimer('sweep');
    expect(world.records.some(({ message }) => message.includes('"metric":"keyward.sweeps.ms"'))).toBe(true);
  });

  test.each([
    [
      'answers that the key is gone',
      { action: 'status', status: 404, body: 'json', code: 'KeyNotFound' },
      'KeyNotFound',
    ],
    ['hangs', { action: 'hang' }, 'VaultTimeout'],
  ])(
    'while the operator’s vault %s, readiness answers 503 in time, with the cause, and the other dependencies unchanged',
    async (_t, fault, cause) => {
      await world.stack.keyVault('POST', '/faults', { vault: 'keyward-operator', ...fault });
      try {
        const began = Date.now();
        const answer = await got(503, ready());
        expect(Date.now() - began).toBeLessThan(withinMs);
        expect(answer.body.status).toBe('notReady');
        expect(answer.body.keys).toMatchObject({ isComplete: true });
        expect(partsIn(answer)).toMatchObject({
          tables: { status: 'ok' },
          queue: { status: 'ok' },
          operatorVault: { status: 'failed', cause, meaning: expect.stringMatching(/\S/) },
        });
      } finally {
        await world.stack.keyVault('DELETE', '/faults');
      }
      await got(200, ready());
    },
  );

  test('while storage does not answer, readiness answers 503 in time, and does not blame the vault', async () => {
    await world.stack.azurite.stop();
    const began = Date.now();
    const answer = await got(503, ready());
    expect(Date.now() - began).toBeLessThan(withinMs);
    const failed = expect.objectContaining({ status: 'failed', cause: 'StorageUnavailable' });
    expect(partsIn(answer)).toEqual({ tables: failed, queue: failed, operatorVault: failed, keyChecks: failed });
    expect(answer.body).not.toHaveProperty('poisonedMessages');
    await got(200, caller(world.stack.host.url, {})('GET', '/api/health/live'));
  });
});
