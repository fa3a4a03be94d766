import { QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Host, type LogRecord, startHost } from '../../packages/functions-host/src/host.ts';
import { routes } from '../../src/functions/routes.ts';
import { type Azurite, startAzurite } from '../../src/local/azurite.ts';
import { type Caller, caller, until } from '../../src/local/client.ts';
import { appDir } from './support.ts';

let azurite: Azurite | undefined;
let host: Host | undefined;
let call: Caller;
let url: string;
const records: LogRecord[] = [];

/** The settings that the host needs to index the triggers, and none of the app. */
async function startBare(storage: Azurite): Promise<Host> {
  const settings = {
    AzureWebJobsStorage: storage.connectionString,
    KEYWARD_SWEEP_SCHEDULE: '0 * * * * *',
    KEYWARD_AUTH: 'functionKeys',
  };
  return startHost({ appDir, settings, timers: false, onLog: (record) => records.push(record) });
}

beforeAll(async () => {
  azurite = await startAzurite();
  host = await startBare(azurite);
  url = host.url;
  call = caller(host.url, { 'x-functions-key': host.keys.function });
});

afterAll(async () => {
  await host?.stop();
  await azurite?.stop();
});

const running = (): Host => {
  if (host === undefined) throw new Error('The host starts when the tests begin.');
  return host;
};

const errorsOf = (name: string) =>
  records.filter((one) => one.functionName === name && one.level === 'error').map((one) => one.message);

describe('the built bundle', () => {
  test('the built bundle registers exactly the routes of the table, the console and its address on a development machine, two event triggers, the sweep, the daily pass and their queues', () => {
    const of = (trigger: string) => running().functions.filter((one) => one.trigger === trigger);
    const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
    const page = { name: 'console', trigger: 'httpTrigger', methods: ['GET', 'HEAD'] };
    const console = { ...page, route: 'console/{*path}', authLevel: 'anonymous' };
    const home = { ...page, name: 'home', route: '/', authLevel: 'anonymous' };
    const [unknown, ...known] = of('httpTrigger').toSorted((a, b) => byName(b, a));
    // The last by name: the host takes the first that fits.
    expect(unknown).toMatchObject({ name: 'zUnknown', route: 'api/{*path}', authLevel: 'anonymous' });
    expect(known.toSorted(byName)).toEqual(
      routes
        .map(({ name, method, path, scope, bearerOnly }) => ({
          name,
          trigger: 'httpTrigger',
          methods: method === 'GET' ? ['GET', 'HEAD'] : [method],
          route: `api/${path}`,
          authLevel: scope === 'public' || bearerOnly ? 'anonymous' : 'function',
        }))
        .concat(console, home)
        .toSorted(byName),
    );
    expect(of('httpTrigger').map(({ name }) => name)).toEqual(
      expect.arrayContaining(['accountsDelete', 'accountsGet', 'accountsList', 'accountsPatch', 'accountsPut']),
    );
    expect(of('eventGridTrigger').toSorted(byName)).toEqual([
      { name: 'keyEvents', trigger: 'eventGridTrigger', many: false },
      { name: 'resourceEvents', trigger: 'eventGridTrigger', many: false },
    ]);
    // `%KEYWARD_SWEEP_SCHEDULE%`, resolved by the host.
    const [sweep, daily, ...noMore] = of('timerTrigger').toSorted((a, b) => b.name.localeCompare(a.name));
    expect([sweep, daily, ...noMore]).toEqual([
      expect.objectContaining({ name: 'sweep', schedule: '0 * * * * *' }),
      expect.objectContaining({ name: 'startDailyPass' }),
    ]);
    const queue = (name: string, queueName: string) => ({
      name,
      trigger: 'queueTrigger',
      queueName,
      connection: 'AzureWebJobsStorage',
    });
    expect(of('queueTrigger').toSorted(byName)).toEqual([
      queue('dailyPass', 'daily-pass'),
      queue('dailyPassPoison', 'daily-pass-poison'),
      queue('vaultWork', 'vault-work'),
      queue('vaultWorkPoison', 'vault-work-poison'),
    ]);
  });

  test('the built bundle requests a function key from the host on every HTTP function', async () => {
    const anonymous = caller(url, {});
    for (const [method, path] of [
      ['GET', '/api/accounts'],
      ['GET', '/api/accounts/abc'],
      ['PUT', '/api/accounts/abc'],
      ['PATCH', '/api/accounts/abc'],
      ['DELETE', '/api/accounts/abc'],
    ] as const) {
      expect((await anonymous(method, path)).status, `${method} ${path}`).toBe(401);
    }
  });

  test('the built bundle serves no other path than its routes', async () => {
    expect((await call('GET', '/api/')).status).toBe(404);
    expect((await call('POST', '/api/accounts/abc', {})).status).toBe(405);
    expect((await call('GET', '/api/accounts/abc/anything')).status).toBe(404);
  });
});

describe('without its settings the app loads, and', () => {
  test('without its settings the app answers each call with 500 InternalError and a request id, and logs every missing setting', async () => {
    for (const [method, path] of [
      ['GET', '/api/accounts'],
      ['GET', '/api/accounts/abc'],
      ['PUT', '/api/accounts/abc'],
      ['PATCH', '/api/accounts/abc'],
      ['DELETE', '/api/accounts/abc'],
    ] as const) {
      records.length = 0;
      const body = method === 'PUT' || method === 'PATCH' ? {} : undefined;
      const answer = await call(method, path, body);
      const requestId = answer.headers.get('x-ms-request-id') ?? '';
      expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
      expect(answer).toMatchObject({ status: 500, body: { error: { code: 'InternalError' } } });
      expect(answer.body.error.message).toContain(requestId);
      // The caller does not learn how the operator's app is configured.
      expect(JSON.stringify(answer.body)).not.toContain('KEYWARD');
      const said = records.filter((one) => one.level === 'error' && one.message.includes(`"requestId":"${requestId}"`));
      const text = said.map((one) => one.message).join('\n');
      for (const name of ['KEYWARD_TENANT_ID', 'KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY'])
        expect(text, `${method} ${path}`).toContain(name);
    }
  });

  test('without its settings the app is alive, and readiness shows the missing settings', async () => {
    expect(await caller(url, {})('GET', '/api/health/live')).toMatchObject({ status: 200, body: { status: 'alive' } });
    const { status, body } = await call('GET', '/api/health/ready');
    expect({ status, body }).toEqual({
      status: 503,
      body: {
        status: 'notReady',
        settings: { status: 'failed', names: ['KEYWARD_TENANT_ID', 'KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY'] },
        parts: [],
      },
    });
  });

  test('without its settings the app names the wrong ones, and never their values', async () => {
    const vault = 'https://operator.vault.azure.net/keys';
    const wrong = {
      KEYWARD_TENANT_ID: 'a-secret-of-ours',
      KEYWARD_SYSTEM_KEY: `${vault}/same`,
      KEYWARD_AT_REST_KEY: `${vault}/same`,
    };
    const tenant = '11111111-1111-4111-8111-111111111111';
    for (const [settings, names] of [
      [wrong, ['KEYWARD_TENANT_ID']],
      [{ ...wrong, KEYWARD_TENANT_ID: tenant }, ['KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY']],
    ] as const) {
      Object.assign(process.env, settings);
      try {
        const { status, body } = await call('GET', '/api/health/ready');
        expect({ status, settings: body.settings }).toEqual({ status: 503, settings: { status: 'failed', names } });
        for (const value of Object.values(settings)) expect(JSON.stringify(body)).not.toContain(value);
      } finally {
        for (const name of Object.keys(settings)) delete process.env[name];
      }
    }
  });

  test('without its settings the app fails an event, so that Event Grid delivers it again', async () => {
    for (const name of ['keyEvents', 'resourceEvents']) {
      const response = await fetch(
        `${url}/runtime/webhooks/EventGrid?functionName=${name}&code=${running().keys.eventgrid_extension}`,
        {
          method: 'POST',
          headers: { 'aeg-event-type': 'Notification', 'content-type': 'application/json' },
          body: JSON.stringify([{ id: '1', eventType: 'Microsoft.KeyVault.KeyExpired', topic: '', subject: '' }]),
        },
      );
      expect(response.status, name).toBe(500);
      expect(errorsOf(name).join()).toContain('KEYWARD_TENANT_ID');
    }
  });

  test('without its settings the app fails a queue message, which stays in the queue for a retry', async () => {
    const queue = QueueServiceClient.fromConnectionString(azurite?.connectionString ?? '').getQueueClient('vault-work');
    await until(
      'the queue exists',
      () => queue.exists(),
      (exists) => exists,
    );
    const work = { vault: '0'.repeat(32), requestedBy: 'sweep' };
    await queue.sendMessage(Buffer.from(JSON.stringify(work)).toString('base64'));
    await until(
      'the message was tried',
      async () => errorsOf('vaultWork'),
      (errors) => errors.some((text) => text.includes('KEYWARD_TENANT_ID')),
    );
    // Hidden until the next attempt, and still in the queue.
    await until(
      'one message is left',
      async () => (await queue.getProperties()).approximateMessagesCount,
      (count) => count === 1,
    );
  });

  test('without its settings the app fails the sweep, so that the failure is visible', async () => {
    await expect(running().invokeTimer('sweep')).rejects.toThrow('KEYWARD_TENANT_ID');
  });
});
