import { once } from 'node:events';
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { eventually, gate, startApp } from './app.ts';

const keys = { master: 'master-key', function: 'function-key', eventgrid_extension: 'eg-key' };

/** A request that fetch does not send: raw headers, or a body on any method. */
function raw(url: string, options: { method: string; headers: Record<string, string>; body?: string }) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sent = request(url, { method: options.method, headers: options.headers }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, text });
    });
    sent.once('error', reject);
    if (options.body === undefined) sent.flushHeaders();
    else sent.end(options.body);
  });
}

describe('a request', () => {
  test('a request reaches the handler with method, URL, headers, query, params and body', async () => {
    const { host } = await startApp({
      source: `app.http('echo', { route: 'echo/{id:int}/{rest?}', methods: ['POST'], authLevel: 'anonymous', async handler(request) {
        return { jsonBody: {
          method: request.method, url: request.url, header: request.headers.get('x-mark'),
          query: Object.fromEntries(request.query), params: request.params, body: await request.json(),
        } };
      } });`,
    });
    const path = '/api/echo/7?one=1&many=a&many=b&empty=';
    const response = await fetch(host.url + path, {
      method: 'POST',
      headers: { 'x-mark': 'yes' },
      body: JSON.stringify({ deep: ['ü'] }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      method: 'POST',
      url: host.url + path,
      header: 'yes',
      query: { one: '1', many: 'a,b', empty: '' },
      params: { id: '7' },
      body: { deep: ['ü'] },
    });
  });

  test('request and answer transfer bytes unchanged, with status and headers', async () => {
    const { host } = await startApp({
      source: `app.http('copy', { methods: ['PUT'], authLevel: 'anonymous', async handler(request) {
        const body = Buffer.from(await request.arrayBuffer());
        return { status: 201, headers: { 'x-size': String(body.length), 'content-type': 'application/octet-stream' }, body };
      } });`,
    });
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const response = await fetch(`${host.url}/api/copy`, { method: 'PUT', body: bytes });
    expect([response.status, response.headers.get('x-size')]).toEqual([201, '256']);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
  });

  test('a request without Content-Length loses its body, as without HTTP streaming on Azure', async () => {
    const { host } = await startApp({
      source: `app.http('size', { authLevel: 'anonymous', handler: async (request) => ({ body: String((await request.text()).length) }) });`,
    });
    const size = (headers: Record<string, string>) =>
      raw(`${host.url}/api/size`, { method: 'POST', headers, body: 'hello' }).then((answer) => answer.text);
    expect(await size({ 'content-length': '5' })).toBe('5');
    expect(await size({ 'transfer-encoding': 'chunked' })).toBe('0');
  });

  test('a HEAD request is answered without a body, and is 404 where no function accepts HEAD', async () => {
    const { host } = await startApp({
      source: `app.http('both', { methods: ['GET', 'HEAD'], authLevel: 'anonymous', handler: () => ({ body: 'four' }) });
        app.http('get', { methods: ['GET'], authLevel: 'anonymous', handler: () => ({ body: 'x' }) });`,
    });
    const head = await fetch(`${host.url}/api/both`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '4', '']);
    expect((await fetch(`${host.url}/api/get`, { method: 'HEAD' })).status).toBe(404);
  });

  test('a body over 100 MB, or over the limit of the settings, is 500 before it is read', async () => {
    const source = `app.http('a', { authLevel: 'anonymous', handler() { probe.seen.push(1); } });`;
    for (const [settings, limit] of [
      [{}, 104_857_600],
      [{ FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '2000' }, 2_000],
    ] as const) {
      const { host, probe } = await startApp({ source, settings: { ...settings } });
      const post = (length: number) =>
        raw(`${host.url}/api/a`, { method: 'POST', headers: { 'content-length': String(length) } });
      expect(await post(limit + 1)).toEqual({ status: 500, text: '' });
      expect(probe.seen).toEqual([]);
      await host.stop();
    }
  });

  test('a header is decoded as UTF-8, and a character above U+00FF is 500 before the app', async () => {
    const { host, probe } = await startApp({
      source: `app.http('a', { authLevel: 'anonymous', handler(request) { probe.seen.push(request.headers.get('x-name')); } });`,
    });
    const statusFor = async (value: Buffer) => {
      const sent = request(`${host.url}/api/a`, { headers: { 'x-name': value.toString('latin1') } }).end();
      const [response] = await once(sent, 'response');
      response.resume();
      return response.statusCode;
    };
    expect(await statusFor(Buffer.from('Zoë'))).toBe(204);
    expect(await statusFor(Buffer.from('ŝi'))).toBe(500);
    expect(await statusFor(Buffer.from([0xff]))).toBe(400);
    expect(probe.seen).toEqual(['Zoë']);
  });

  test('a request without an answer in time is 504, and its invocation continues', async () => {
    const { opened, open } = gate();
    const { host, probe } = await startApp({
      source: `app.http('slow', { authLevel: 'anonymous', async handler() { await probe.opened; probe.seen.push('done'); } });`,
      probe: { opened },
      answerWithinMs: 50,
    });
    const answer = await fetch(`${host.url}/api/slow`);
    expect([answer.status, await answer.text(), probe.seen]).toEqual([504, '', []]);
    open();
    await eventually(() => probe.seen).toEqual(['done']);
  });

  test('an invocation beyond functionTimeout fails together with every invocation in flight', async () => {
    const { opened, open } = gate();
    const { host, records } = await startApp({
      source: `app.http('slow', { authLevel: 'anonymous', handler: () => probe.opened });
        app.http('other', { authLevel: 'anonymous', async handler() { await probe.opened; return { body: 'x' }; } });
        app.http('quick', { authLevel: 'anonymous', handler: () => ({ body: 'x' }) });`,
      hostJson: { version: '2.0', functionTimeout: '00:00:00.200' },
      probe: { opened },
    });
    const slow = fetch(`${host.url}/api/slow`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const other = fetch(`${host.url}/api/other`);
    expect([(await slow).status, (await other).status]).toEqual([500, 500]);
    // WebJobs SDK 3, FunctionExecutor.OnFunctionTimeout: the id is in the text only.
    const exceeded =
      /^Timeout value of 00:00:00.2000000 exceeded by function 'Functions.slow' \(Id: '[-0-9a-f]{36}'\)\. /;
    const timeouts = records.filter(({ message }) => message.startsWith('Timeout'));
    expect(timeouts).toEqual([
      {
        level: 'error',
        category: 'Function.slow',
        functionName: 'slow',
        message: expect.stringMatching(exceeded),
        at: expect.any(Number),
      },
    ]);
    expect((await fetch(`${host.url}/api/quick`)).status).toBe(200);
    open();
  });
});

describe('the answer', () => {
  const source = `
    app.http('nothing', { authLevel: 'anonymous', handler() {} });
    app.http('throws', { authLevel: 'anonymous', handler() { throw new Error('secret detail'); } });
    app.http('rejects', { authLevel: 'anonymous', handler: () => Promise.reject(new Error('secret detail')) });
    app.http('text', { authLevel: 'anonymous', handler: () => 'not an object' });
    app.http('empty', { authLevel: 'anonymous', handler: () => ({ status: 404 }) });
    app.http('onlyGet', { methods: ['GET'], authLevel: 'anonymous', handler: () => ({ body: 'x' }) });
    app.http('number', { route: 'number/{id:int}', authLevel: 'anonymous', handler: () => ({ body: 'x' }) });`;

  test.each([
    ['nothing', 'GET', 204],
    ['throws', 'GET', 500],
    ['rejects', 'POST', 500],
    ['text', 'GET', 500],
    ['empty', 'GET', 404],
    ['onlyGet', 'POST', 404],
    ['number/x', 'GET', 404],
    ['unknown', 'GET', 404],
    ['../admin/nothing', 'GET', 401],
  ])('the answer of /api/%s to %s is %i with an empty body', async (path, method, status) => {
    const { host } = await startApp({ source });
    const response = await fetch(`${host.url}/api/${path}`, { method });
    expect([response.status, await response.text()]).toEqual([status, '']);
  });

  test('the answer to a failure has no details, which are in the log', async () => {
    const { host, logged } = await startApp({ source });
    await fetch(`${host.url}/api/throws`);
    expect(logged('error')).toEqual([expect.stringContaining('secret detail')]);
  });
});

describe('the route prefix', () => {
  test.each([
    ['v1/things', '/v1/things/ping'],
    ['', '/ping'],
  ])('the route prefix %j of host.json leads to %s', async (routePrefix, path) => {
    const { host } = await startApp({
      source: `app.http('ping', { authLevel: 'anonymous', handler: () => ({ body: 'pong' }) });`,
      hostJson: { version: '2.0', extensions: { http: { routePrefix } } },
    });
    expect(await (await fetch(host.url + path)).text()).toBe('pong');
    expect((await fetch(`${host.url}/api/ping`)).status).toBe(404);
  });

  test('a route can name a setting', async () => {
    const { host } = await startApp({
      source: `app.http('ping', { route: '%HOST_TEST_PLACE%/ping', authLevel: 'anonymous', handler: () => ({ body: 'pong' }) });`,
      settings: { HOST_TEST_PLACE: 'here' },
    });
    expect((await fetch(`${host.url}/api/here/ping`)).status).toBe(200);
  });
});

describe('keys', () => {
  const source = ['anonymous', 'function', 'admin']
    .map((level) => `app.http('at-${level}', { authLevel: '${level}', handler: () => ({ body: 'in' }) });`)
    .join('\n');

  test.each<[level: string, key: string | undefined, status: number]>([
    ['anonymous', undefined, 200],
    ['function', undefined, 401],
    ['function', 'wrong', 401],
    ['function', 'function-key', 200],
    ['function', 'master-key', 200],
    ['function', 'eg-key', 401],
    ['admin', 'function-key', 401],
    ['admin', 'master-key', 200],
  ])('the level %s with the key %s is %i, for a key in the header and in the query', async (level, key, status) => {
    const { host } = await startApp({ source, keys });
    const url = `${host.url}/api/at-${level}`;
    const inHeader = await fetch(url, key === undefined ? {} : { headers: { 'x-functions-key': key } });
    const inQuery = await fetch(key === undefined ? url : `${url}?code=${key}`);
    expect([inHeader.status, inQuery.status]).toEqual([status, status]);
    if (status === 401) expect(await inHeader.text()).toBe('');
  });

  test('a key in the header takes precedence over a key in the query', async () => {
    const { host } = await startApp({ source, keys });
    const url = `${host.url}/api/at-function?code=function-key`;
    expect((await fetch(url, { headers: { 'x-functions-key': 'wrong' } })).status).toBe(401);
  });

  test('the host generates random keys when the options have none', async () => {
    const { host } = await startApp({ source });
    expect(new Set(Object.values(host.keys)).size).toBe(3);
    expect(host.keys.master.length).toBeGreaterThan(40);
  });
});

describe('two functions that fit one path', () => {
  test('of two functions that match a path, the name decides and not the more specific route', async () => {
    const { host } = await startApp({
      source: `
        app.http('zList', { route: 'items/list', authLevel: 'anonymous', handler: () => ({ body: 'list' }) });
        app.http('Item', { route: 'items/{id}', authLevel: 'anonymous', handler: () => ({ body: 'item' }) });`,
    });
    expect(await (await fetch(`${host.url}/api/items/list`)).text()).toBe('item');
  });
});

describe('the bounds of host.json', () => {
  test('requests above maxConcurrentRequests wait, and requests above maxOutstandingRequests are refused', async () => {
    const { opened, open } = gate();
    const { host, probe } = await startApp({
      source: `app.http('slow', { authLevel: 'anonymous', async handler(request) {
        probe.seen.push(request.query.get('n')); await probe.opened; return { body: 'done' };
      } });`,
      hostJson: { version: '2.0', extensions: { http: { maxConcurrentRequests: 1, maxOutstandingRequests: 2 } } },
      probe: { opened },
    });
    const first = fetch(`${host.url}/api/slow?n=1`);
    await eventually(() => probe.seen).toEqual(['1']);
    // One of the two waits, and the other is above the bound. Their order on the network is open.
    const others = [fetch(`${host.url}/api/slow?n=2`), fetch(`${host.url}/api/slow?n=3`)];
    expect((await Promise.race(others)).status).toBe(429);
    expect(probe.seen).toEqual(['1']);
    open();
    expect((await first).status).toBe(200);
    expect((await Promise.all(others)).map((one) => one.status).sort()).toEqual([200, 429]);
  });
});

describe('the admin pages', () => {
  const source = `
    app.http('hello', { authLevel: 'anonymous', async handler(request) { probe.seen.push(await request.text()); } });
    app.timer('sweep', { schedule: '0 0 0 1 1 *', handler(timer) { probe.seen.push(timer.isPastDue); } });
    app.eventGrid('events', { handler(event) { probe.seen.push(event.id); } });`;
  const master = { 'x-functions-key': 'master-key' };

  test('the admin pages require the master key', async () => {
    const { host } = await startApp({ source, keys });
    for (const path of ['/admin/host/status', '/admin/functions', '/admin/functions/sweep']) {
      expect((await fetch(host.url + path)).status).toBe(401);
      expect((await fetch(host.url + path, { headers: { 'x-functions-key': 'function-key' } })).status).toBe(401);
      expect((await fetch(host.url + path, { headers: master })).status).toBe(200);
    }
  });

  test('the admin pages list the functions and the state of the host', async () => {
    const { host } = await startApp({ source, keys });
    const get = async (path: string) => (await fetch(host.url + path, { headers: master })).json();
    expect(await get('/admin/host/status')).toMatchObject({ state: 'Running' });
    expect(await get('/admin/functions')).toEqual(JSON.parse(JSON.stringify(host.functions)));
  });

  test('the admin page of a function runs it manually and returns 202 at once', async () => {
    const { host, probe } = await startApp({ source, keys });
    const run = async (name: string, body: string) =>
      (await fetch(`${host.url}/admin/functions/${name}`, { method: 'POST', headers: master, body })).status;
    expect(await run('sweep', '{"input":""}')).toBe(202);
    await eventually(() => probe.seen).toEqual([false]);
    expect(await run('events', JSON.stringify({ input: '{"id":"e1"}' }))).toBe(202);
    await eventually(() => probe.seen).toEqual([false, 'e1']);
    expect(await run('hello', '{"input":"hi"}')).toBe(202);
    await eventually(() => probe.seen).toEqual([false, 'e1', 'hi']);
    expect(await run('nobody', '{"input":""}')).toBe(404);
    expect(await run('events', '{"input":"not json"}')).toBe(400);
  });
});
