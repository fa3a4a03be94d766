/** Apps with `enableHttpStream`, through the library's own server, as the real host forwards to it. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { forward } from '../src/httpStream.ts';
import { eventually, gate, startApp } from './app.ts';

const setup = 'app.setup({ enableHttpStream: true });';

test('a streaming app receives method, URL, headers, params and body, and its answer arrives', async () => {
  const { host } = await startApp({
    source: `${setup}
      app.http('echo', { route: 'echo/{id}', methods: ['POST'], authLevel: 'anonymous', async handler(request) {
        const { method, url, params } = request;
        const header = request.headers.get('x-mark');
        return { status: 201, headers: { 'x-back': 'yes' }, jsonBody: { method, url, params, header, text: await request.text() } };
      } });`,
  });
  const path = '/api/echo/7?a=1&a=2';
  const answer = await fetch(host.url + path, { method: 'POST', headers: { 'x-mark': 'm' }, body: 'hällo' });
  expect([answer.status, answer.headers.get('x-back')]).toEqual([201, 'yes']);
  expect(await answer.json()).toEqual({
    method: 'POST',
    url: host.url + path,
    params: { id: '7' },
    header: 'm',
    text: 'hällo',
  });
});

test('a streaming app receives a chunked body without Content-Length', async () => {
  const { host } = await startApp({
    source: `${setup} app.http('size', { authLevel: 'anonymous', handler: async (request) => ({ body: String((await request.text()).length) }) });`,
  });
  const call = request(`${host.url}/api/size`, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } });
  call.write('hel');
  call.end('lo');
  const [answer] = await once(call, 'response');
  let text = '';
  for await (const part of answer) text += part;
  expect(text).toBe('5');
});

test('a streaming app can answer before the body has arrived', async () => {
  const { host } = await startApp({
    source: `${setup} app.http('refuse', { methods: ['PUT'], authLevel: 'anonymous', handler: () => ({ status: 401 }) });`,
  });
  const call = request(`${host.url}/api/refuse`, { method: 'PUT', headers: { 'content-length': 100_000_000 } });
  call.on('error', () => undefined).write('x'.repeat(1_000));
  const [answer] = await once(call, 'response');
  expect(answer.statusCode).toBe(401);
  call.destroy();
});

test('a handler of a streaming app that throws never answers, so the front end does', async () => {
  const { host, logged } = await startApp({
    source: `${setup} app.http('throws', { authLevel: 'anonymous', handler() { throw new Error('no'); } });`,
    answerWithinMs: 300,
  });
  const answer = await fetch(`${host.url}/api/throws`);
  expect([answer.status, await answer.text()]).toEqual([504, '']);
  expect(logged('error')).toEqual([expect.stringContaining('no')]);
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;

test('a request whose new connection to the worker is reset is sent once more with its body and invocation id, and not a third time', async () => {
  let resets = 1;
  const seen: unknown[] = [];
  const worker = createServer(async (incoming, answer) => {
    let text = '';
    for await (const chunk of incoming) text += chunk;
    if (resets-- > 0) return void incoming.socket.resetAndDestroy();
    seen.push([incoming.headers['x-ms-invocation-id'], text]);
    answer.end('done');
  });
  const front = createServer((incoming, answer) => {
    void forward(`http://127.0.0.1:${portOf(worker)}/`, 'one', incoming, answer, 1_000);
  });
  for (const server of [worker, front]) {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void server.close().closeAllConnections());
  }
  const call = () => fetch(`http://127.0.0.1:${portOf(front)}/`, { method: 'PATCH', body: 'tags' });
  const answer = await call();
  expect([answer.status, await answer.text(), seen]).toEqual([200, 'done', [['one', 'tags']]]);
  resets = 2;
  expect((await call()).status).toBe(500);
});

test('a stop of a streaming app waits for the request, and closes the server that the app opened', async () => {
  const servers = listening();
  const { opened, open } = gate();
  const { host, probe } = await startApp({
    source: `${setup} app.http('slow', { authLevel: 'anonymous', async handler(request) {
      probe.seen.push(1); await probe.opened; return { body: 'done' };
    } });`,
    probe: { opened },
  });
  const answer = fetch(`${host.url}/api/slow`);
  await eventually(() => probe.seen).toEqual([1]);
  const stopped = host.stop();
  open();
  expect(await (await answer).text()).toBe('done');
  await stopped;
  // The host's own, and the library's.
  expect(servers).toHaveLength(2);
  expect(servers.map(({ listening }) => listening)).toEqual([false, false]);
});

/** The servers that listen from now on. The process has others, of other test files. */
function listening(): Server[] {
  const servers: Server[] = [];
  const { listen } = Server.prototype;
  Server.prototype.listen = function (this: Server, ...args: Parameters<typeof listen>) {
    servers.push(this);
    return listen.apply(this, args);
  } as typeof listen;
  onTestFinished(() => {
    Server.prototype.listen = listen;
  });
  return servers;
}
