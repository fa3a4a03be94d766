import { once } from 'node:events';
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { eventually, startApp } from './app.ts';

const streaming = 'app.setup({ enableHttpStream: true });';

/** A PUT whose body the test writes piece by piece. */
function upload(url: string, headers: Record<string, string | number> = {}) {
  const sent = request(url, { method: 'PUT', headers });
  const answered = new Promise<{ status: number; text: string }>((resolve, reject) => {
    sent.once('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, text });
    });
    sent.once('error', reject);
  });
  return { sent, answered };
}

describe('an app with HTTP streaming', () => {
  test('gets method, URL, headers, query, params and body as without it', async () => {
    const { host } = await startApp({
      source: `${streaming} app.http('echo', { route: 'echo/{id:int}/{rest?}', methods: ['POST'], authLevel: 'anonymous',
        async handler(request) {
          return { status: 201, headers: { etag: '"1"' }, jsonBody: {
            method: request.method, url: request.url, header: request.headers.get('x-mark'),
            query: Object.fromEntries(request.query), params: request.params, body: await request.json(),
          } };
        } });`,
    });
    const path = '/api/echo/7?one=1&many=a';
    const body = JSON.stringify({ deep: ['ü'] });
    const response = await fetch(host.url + path, { method: 'POST', headers: { 'x-mark': 'yes' }, body });
    expect([response.status, response.headers.get('etag')]).toEqual([201, '"1"']);
    expect(await response.json()).toEqual({
      ...{ method: 'POST', url: host.url + path, header: 'yes', query: { one: '1', many: 'a' }, params: { id: '7' } },
      body: { deep: ['ü'] },
    });
  });

  test('answers before the body has arrived, and the next call is answered as well', async () => {
    const { host } = await startApp({
      source: `${streaming} app.http('no', { methods: ['PUT'], authLevel: 'anonymous', handler: () => ({ status: 413, body: 'no' }) });`,
    });
    const { sent, answered } = upload(`${host.url}/api/no`, { 'content-length': 100_000_000 });
    sent.write(Buffer.alloc(65_536));
    expect(await answered).toEqual({ status: 413, text: 'no' });
    sent.destroy();
    expect((await fetch(`${host.url}/api/no`, { method: 'PUT', body: 'x' })).status).toBe(413);
  });

  test('gets a body without Content-Length', async () => {
    const { host } = await startApp({
      source: `${streaming} app.http('size', { methods: ['PUT'], authLevel: 'anonymous', async handler(request) {
        return { jsonBody: (await request.arrayBuffer()).byteLength };
      } });`,
    });
    const { sent, answered } = upload(`${host.url}/api/size`);
    for (let n = 0; n < 3; n++) if (!sent.write(Buffer.alloc(100_000))) await once(sent, 'drain');
    sent.end();
    expect(await answered).toEqual({ status: 200, text: '300000' });
  });

  test.each([
    ['throws', `() => { throw new Error('broken'); }`, 'failed'],
    ['returns nothing', '() => undefined', 'returned nothing'],
  ])('whose handler %s sends no answer, and the log says why', async (_, handler, why) => {
    const { host, said } = await startApp({
      source: `${streaming} app.http('bad', { authLevel: 'anonymous', handler: ${handler} });`,
    });
    await expect(fetch(`${host.url}/api/bad`)).rejects.toThrow();
    await eventually(() => said('error').join('\n')).toEqual(expect.stringContaining(`'bad' ${why}`));
  });

  test('leaves no server behind when its host stops', async () => {
    const before = process.getActiveResourcesInfo().filter((one) => one === 'TCPServerWrap').length;
    const { host } = await startApp({
      source: `${streaming} app.http('a', { authLevel: 'anonymous', handler: () => ({ status: 200 }) });`,
    });
    await fetch(`${host.url}/api/a`);
    await host.stop();
    const servers = () => process.getActiveResourcesInfo().filter((one) => one === 'TCPServerWrap').length;
    await eventually(servers).toBe(before);
  });
});
