import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { odata, RestError, TableClient } from '@azure/data-tables';
import { QueueClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from '../../src/local/azurite.ts';

const tableOf = ({ connectionString }: { connectionString: string }, name = 'accounts') =>
  TableClient.fromConnectionString(connectionString, name, { allowInsecureConnection: true });
const queueOf = ({ connectionString }: { connectionString: string }, name = 'work') =>
  new QueueClient(connectionString, name);

async function refusal(doing: Promise<unknown>) {
  const error = await doing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RestError)) throw new Error('expected a RestError', { cause: error });
  return {
    status: error.statusCode,
    code: (error.details as { odataError?: { code?: string } } | undefined)?.odataError?.code,
  };
}

describe('Azurite in this process, in memory', () => {
  let azurite: Azurite;
  beforeAll(async () => {
    azurite = await startAzurite();
    await Promise.all([tableOf(azurite).createTable(), queueOf(azurite).create()]);
  });
  afterAll(() => azurite.stop());

  it('Azurite inserts an entity once', async () => {
    const table = tableOf(azurite);
    const entity = { partitionKey: 'p', rowKey: 'once', value: 1 };
    await table.createEntity(entity);

    expect(await refusal(table.createEntity(entity))).toEqual({ status: 409, code: 'EntityAlreadyExists' });
  });

  it('Azurite updates only the version of an entity that was read', async () => {
    const table = tableOf(azurite);
    const key = { partitionKey: 'p', rowKey: 'versioned' };
    const { etag: first } = await table.createEntity({ ...key, value: 1 });
    if (first === undefined) throw new Error('no etag');
    await table.updateEntity({ ...key, value: 2 }, 'Replace', { etag: first });

    const late = table.updateEntity({ ...key, value: 3 }, 'Replace', { etag: first });
    expect(await refusal(late)).toEqual({ status: 412, code: 'UpdateConditionNotSatisfied' });
    expect(await table.getEntity('p', 'versioned')).toMatchObject({ value: 2 });
  });

  it('Azurite answers a request without a socket as it answers one on the wire', async () => {
    const answers = async (table: TableClient, partitionKey: string) => {
      const [key, text] = [{ partitionKey, rowKey: 'a' }, 'K\u00fc\u{1F511}'];
      const { etag = '' } = await table.createEntity({ ...key, text });
      await table.updateEntity({ ...key, number: 1 }, 'Merge', { etag });
      await table.submitTransaction([
        ['create', { partitionKey, rowKey: 'b' }],
        ['create', { partitionKey, rowKey: 'c' }],
      ]);
      const pages = table.listEntities({ queryOptions: { filter: odata`PartitionKey eq ${partitionKey}` } });
      const rows: unknown[] = [];
      for await (const page of pages.byPage({ maxPageSize: 2 })) rows.push(page.map(({ rowKey }) => rowKey));
      const { text: read, number } = await table.getEntity(partitionKey, 'a');
      await table.deleteEntity(partitionKey, 'b');
      return {
        rows,
        read,
        number,
        twice: await refusal(table.createEntity(key)),
        stale: await refusal(table.updateEntity(key, 'Replace', { etag })),
        together: await refusal(table.submitTransaction([['create', key]])),
        gone: await refusal(table.getEntity(partitionKey, 'b')),
      };
    };
    const options = { allowInsecureConnection: true, httpClient: azurite.tables };
    const without = TableClient.fromConnectionString(azurite.connectionString, 'accounts', options);
    const onWire = await answers(tableOf(azurite), 'wire');
    expect(onWire).toMatchObject({ rows: [['a', 'b'], ['c']], gone: { status: 404 }, stale: { status: 412 } });
    expect(await answers(without, 'none')).toEqual(onWire);
  });

  it('Azurite commits a transaction completely or not at all', async () => {
    const table = tableOf(azurite);
    const row = (rowKey: string) => ({ partitionKey: 'batch', rowKey });
    await table.submitTransaction([
      ['create', row('a')],
      ['create', row('b')],
    ]);

    const withOneTaken = table.submitTransaction([
      ['create', row('c')],
      ['create', row('a')],
    ]);
    expect((await refusal(withOneTaken)).status).toBe(409);
    const rows: (string | undefined)[] = [];
    for await (const { rowKey } of table.listEntities({ queryOptions: { filter: "PartitionKey eq 'batch'" } })) {
      rows.push(rowKey);
    }
    expect(rows).toEqual(['a', 'b']);
  });

  it('Azurite shows a delayed message only when it is due', async () => {
    const queue = queueOf(azurite);
    await queue.sendMessage('look', { visibilityTimeout: 1 });
    expect((await queue.receiveMessages()).receivedMessageItems).toEqual([]);

    await sleep(1_200);
    const [message] = (await queue.receiveMessages({ visibilityTimeout: 30 })).receivedMessageItems;
    expect(message).toMatchObject({ messageText: 'look', dequeueCount: 1 });
    if (message) await queue.deleteMessage(message.messageId, message.popReceipt);
  });

  it('Azurite uses the well-known account also when an environment variable names others', async () => {
    process.env.AZURITE_ACCOUNTS = 'mine:c2VjcmV0';
    const second = await startAzurite();
    await expect(tableOf(second).createTable()).resolves.toBeUndefined();
    await second.stop();
  });

  it('two Azurite instances in one process share no data', async () => {
    const second = await startAzurite();
    try {
      await Promise.all([tableOf(second).createTable(), queueOf(second).create()]);
      await tableOf(azurite).createEntity({ partitionKey: 'only', rowKey: 'first' });
      await queueOf(azurite).sendMessage('only in the first');

      expect((await refusal(tableOf(second).getEntity('only', 'first'))).status).toBe(404);
      expect((await queueOf(second).receiveMessages()).receivedMessageItems).toEqual([]);
      const [message] = (await queueOf(azurite).receiveMessages()).receivedMessageItems;
      expect(message?.messageText).toBe('only in the first');
    } finally {
      await second.stop();
    }
  });

  it('Azurite answers on the blob port', async () => {
    const answer = await fetch(`${azurite.blobUrl}?comp=list`);
    expect(answer.headers.get('server')).toMatch(/Azurite-Blob/);
  });

  it('Azurite can be stopped twice', async () => {
    const second = await startAzurite();
    await second.stop();
    await second.stop();
    await expect(fetch(second.tableUrl)).rejects.toThrow();
  });

  it('a taken port is an error that leaves no server running', async () => {
    const taken = Number(new URL(azurite.tableUrl).port);
    await expect(startAzurite({ ports: { queue: taken } })).rejects.toThrow(`EADDRINUSE: address already in use`);
  });

  it('startAzurite refuses a folder in memory, and disk without a folder', async () => {
    await expect(startAzurite({ inMemory: false })).rejects.toThrow(TypeError);
    await expect(startAzurite({ inMemory: true, dir: '/nowhere' })).rejects.toThrow(TypeError);
  });
});

describe('Azurite on disk', () => {
  let dir: string;
  beforeAll(async () => {
    dir = join(await mkdtemp(join(tmpdir(), 'keyward-azurite-')), 'storage');
  });
  afterAll(() => rm(join(dir, '..'), { recursive: true, force: true }));

  it('Azurite has its tables and messages after a restart on disk', async () => {
    const before = await startAzurite({ dir });
    await Promise.all([tableOf(before).createTable(), queueOf(before).create()]);
    await tableOf(before).createEntity({ partitionKey: 'p', rowKey: 'kept', value: 7 });
    await queueOf(before).sendMessage('kept');
    await before.stop();

    const after = await startAzurite({ dir });
    try {
      expect(await tableOf(after).getEntity('p', 'kept')).toMatchObject({ value: 7 });
      const [message] = (await queueOf(after).receiveMessages()).receivedMessageItems;
      expect(message?.messageText).toBe('kept');
    } finally {
      await after.stop();
    }
    expect(await readdir(dir)).toContain('tables.json');
  });
});

describe('Azurite as its own process', () => {
  const main = fileURLToPath(new URL('../../src/local/azuriteMain.ts', import.meta.url));

  async function start() {
    const child = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    return { child, exited, line: JSON.parse(line) as Azurite };
  }

  it.each([
    ['its stdin closes', (child: Awaited<ReturnType<typeof start>>['child']) => child.stdin.end()],
    ['it gets a signal to terminate', (child: Awaited<ReturnType<typeof start>>['child']) => child.kill('SIGTERM')],
  ])('the Azurite process prints its URLs, works, and exits when %s', async (_when, end) => {
    const { child, exited, line } = await start();
    await tableOf(line).createTable();
    end(child);
    expect(await exited).toEqual([0, null]);
  });
});
