/** Keyward's own calls of Queue Storage, against Azurite and with Microsoft's client as the reader. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AccountSASPermissions, QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openQueueService, queueAccountIn } from '../src/azure/queueService.ts';
import { countMessages, createWorkQueue } from '../src/azure/workQueue.ts';
import { type Azurite, startAzurite } from '../src/local/azurite.ts';

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite.stop());

const sender = (connectionString: string) => openQueueService({ connectionString, deadlineSeconds: 10 });

test('a queue that does not exist holds no message, and the first message creates it', async () => {
  const call = await sender(azurite.connectionString);
  expect(await countMessages('first', call)).toBe(0);
  await createWorkQueue('first', call).send({ text: '<ü & &amp;>' });
  expect(await countMessages('first', call)).toBe(1);
  const queue = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient('first');
  const { peekedMessageItems } = await queue.peekMessages();
  const texts = peekedMessageItems.map(({ messageText }) => Buffer.from(messageText, 'base64').toString());
  expect(texts).toEqual(['{"text":"<ü & &amp;>"}']);
});

test('a shared access signature sends a message, and one for reading only does not', async () => {
  const client = QueueServiceClient.fromConnectionString(azurite.connectionString);
  const inAnHour = new Date(Date.now() + 3_600_000);
  const withRights = (rights: string) => {
    const url = client.generateAccountSasUrl(inAnHour, AccountSASPermissions.parse(rights), 'sco');
    const [endpoint, signature] = url.split('?');
    return sender(`QueueEndpoint=${endpoint};SharedAccessSignature=${signature}`);
  };
  await createWorkQueue('signed', await withRights('rwac')).send('by a signature');
  expect(await countMessages('signed', await withRights('r'))).toBe(1);
  const refused = createWorkQueue('signed', await withRights('r')).send('not allowed');
  await expect(refused).rejects.toMatchObject({ code: 'StorageUnavailable' });
});

test('a message is sent again while the service answers 503, and twice at most', async ({ onTestFinished }) => {
  const statuses: number[] = [];
  let answers: number[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const status = answers.shift() ?? 500;
    statuses.push(status);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const key = Buffer.alloc(32, 1).toString('base64');
  const call = await sender(
    `DefaultEndpointsProtocol=http;AccountName=a;AccountKey=${key};QueueEndpoint=http://127.0.0.1:${port}/a`,
  );
  answers = [503, 503, 201];
  await createWorkQueue('busy', call).send('twice more');
  expect(statuses).toEqual([503, 503, 201]);
  answers = [503, 503, 503, 201];
  await expect(createWorkQueue('busy', call).send('given up')).rejects.toMatchObject({ code: 'StorageUnavailable' });
  expect(answers).toEqual([201]);
  answers = [403];
  await expect(countMessages('busy', call)).rejects.toThrow('answered 403');
});

test.each([
  [
    'DefaultEndpointsProtocol=https;AccountName=kw;AccountKey=a2V5PQ==;EndpointSuffix=core.chinacloudapi.cn',
    { url: 'https://kw.queue.core.chinacloudapi.cn', accountName: 'kw', accountKey: Buffer.from('key=') },
  ],
  ['UseDevelopmentStorage=true', { url: 'http://127.0.0.1:10001/devstoreaccount1', accountName: 'devstoreaccount1' }],
  [
    'QueueEndpoint=https://kw.queue.core.windows.net/;SharedAccessSignature=?sv=2021&sig=a%3D',
    { url: 'https://kw.queue.core.windows.net/', signature: 'sv=2021&sig=a%3D' },
  ],
])('the connection string %s names the account and its right', (connectionString, expected) => {
  expect(queueAccountIn(connectionString)).toMatchObject(expected);
});
