import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import {
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
  RestError,
} from '@azure/core-rest-pipeline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKeyVaultTransport } from '../../src/azure/keyVaultTransport.ts';
import { awaitingToken, recordCredentialError, recorded, type WireRecord } from '../../src/azure/wireRecord.ts';

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}
interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Receives every request to every address. */
let server: Server;
let here: string;
let received: Received[] = [];
let answer: (request: Received) => Answer | 'hangUp' | 'silence';

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
    received.push(seen);
    const given = answer(seen);
    if (given === 'hangUp') return void request.socket.destroy();
    if (given === 'silence') return;
    response.writeHead(given.status ?? 200, given.headers).end(given.body ?? '{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  here = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  received = [];
  answer = () => ({});
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const key = 'https://contoso.vault.azure.net/keys/cmk';
const challenge = 'Bearer authorization="https://login.microsoftonline.com/t1", resource="https://vault.azure.net"';
const rerouting = () => createKeyVaultTransport({ cloud: 'public', emulatorUrl: here });
const get = (url: string, options: { token?: string; abortSignal?: AbortSignal } = {}) => {
  const headers = createHttpHeaders(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` });
  const signal = options.abortSignal === undefined ? {} : { abortSignal: options.abortSignal };
  return createPipelineRequest({ url, headers, allowInsecureConnection: true, ...signal });
};
answer = () => ({});

/** Makes one call as the SDK does, and returns its record. */
const wireOf = async (given: Answer): Promise<WireRecord> => {
  answer = () => given;
  return (await recorded(() => rerouting().sendRequest(get(key, { token: 't' })))).wire;
};
const error = (body: object): string => JSON.stringify({ error: body });

describe('INV-8: a host off the allow-list', () => {
  it.each([
    'https://evil.com/keys/cmk',
    'https://contoso.vault.azure.net.evil.com/keys/cmk',
    'https://contoso.vault.azure.net@evil.com/keys/cmk',
    'https://contoso.vault.azure.net:8443/keys/cmk',
    'https://a.b.vault.azure.net/keys/cmk',
    'https://contoso.vault.azure.cn/keys/cmk',
    'https://127.0.0.1/keys/cmk',
  ])('INV-8: a host off the allow-list is refused before any request: %s', async (url) => {
    await expect(rerouting().sendRequest(get(url, { token: 't' }))).rejects.toMatchObject({ code: 'HostNotAllowed' });
    expect(received).toEqual([]);
  });

  it('INV-8: a host off the allow-list is refused without an emulator too, and a listening server receives nothing', async () => {
    const transport = createKeyVaultTransport({ cloud: 'public' });
    await expect(transport.sendRequest(get(`${here}/keys/cmk`, { token: 't' }))).rejects.toBeInstanceOf(RestError);
    expect(received).toEqual([]);
  });

  it('INV-8: a redirect to a host off the allow-list is not followed', async () => {
    answer = () => ({ status: 307, headers: { location: `${here}/stolen` } });
    const pipeline = createPipelineFromOptions({ retryOptions: { maxRetries: 0 } });
    await pipeline.sendRequest(rerouting(), get(key, { token: 't' })).catch(() => undefined);
    expect(received.map(({ url }) => url)).toEqual(['/keys/cmk']);
  });
});

describe('in development', () => {
  it('in development requests go to the emulator, with the vault in the Host header', async () => {
    const request = createPipelineRequest({
      url: `${key}/1/unwrapkey?api%2Dversion=7.4`,
      method: 'POST',
      body: '{"alg":"RSA-OAEP-256"}',
      headers: createHttpHeaders({ authorization: 'Bearer t', 'content-type': 'application/json' }),
    });
    const response = await rerouting().sendRequest(request);
    expect(received).toMatchObject([
      {
        method: 'POST',
        url: '/keys/cmk/1/unwrapkey?api%2Dversion=7.4',
        body: '{"alg":"RSA-OAEP-256"}',
        headers: { host: 'contoso.vault.azure.net', authorization: 'Bearer t', 'content-type': 'application/json' },
      },
    ]);
    expect(response.request).toBe(request);
    expect(request.url).toBe(`${key}/1/unwrapkey?api%2Dversion=7.4`);
    expect(request.allowInsecureConnection).toBe(false);
  });

  it.each(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED'])('in development the emulator can cause %s', async (code) => {
    answer = () => ({ headers: { 'x-emulator-network-error': code } });
    const { wire, error: thrown } = await recorded(() => rerouting().sendRequest(get(key, { token: 't' })));
    expect(wire).toEqual({ networkCode: code });
    expect(thrown).toMatchObject({ name: 'RestError', code });
  });
});

describe('the challenge of a vault', () => {
  const asks = (header: string) => () => ({ status: 401, headers: { 'www-authenticate': header } });
  const asksOnce =
    (header: string) =>
    ({ headers }: Received) =>
      headers.authorization === undefined ? asks(header)() : {};
  /** As the SDK: it reads the challenge, and sends the request again with a token. */
  const call = (transport: ReturnType<typeof rerouting>, url = key) =>
    recorded(async () => {
      const first = await transport.sendRequest(get(url));
      return first.status === 401 ? transport.sendRequest(get(url, { token: 't' })) : first;
    });

  it('the challenge of a vault is requested once, and returned from the cache without a round trip', async () => {
    answer = asksOnce(challenge);
    const transport = rerouting();
    await call(transport);
    const again = await transport.sendRequest(get('https://contoso.vault.azure.net/keys/other'));
    expect(received).toHaveLength(2);
    expect(again.status).toBe(401);
    expect(again.headers.get('www-authenticate')).toBe(challenge);
    await transport.sendRequest(get('https://fabrikam.vault.azure.net/keys/cmk'));
    expect(received).toHaveLength(3);
  });

  it('a cached challenge never answers a request with a token', async () => {
    answer = asksOnce(challenge);
    const transport = rerouting();
    await call(transport);
    expect((await transport.sendRequest(get(key, { token: 't' }))).status).toBe(200);
    expect(received).toHaveLength(3);
  });

  it('a cached challenge is replaced when the vault sends another one', async () => {
    answer = asksOnce(challenge);
    const transport = rerouting();
    await call(transport);
    answer = asks(challenge.replace('t1', 't2'));
    await transport.sendRequest(get(key, { token: 'of t1' }));
    answer = asksOnce(challenge.replace('t1', 't2'));
    await call(transport);
    const again = await transport.sendRequest(get(key));
    expect(again.headers.get('www-authenticate')).toBe(challenge.replace('t1', 't2'));
  });

  it.each([
    'Basic realm="proxy"',
    'Bearer',
    'Bearer authorization="no address", resource="https://vault.azure.net"',
    'Negotiate',
  ])(
    'INV-2: the process calls a vault again after one 401 with the challenge %s, which leads to no token',
    async (odd) => {
      answer = asks(odd);
      const transport = rerouting();
      await recorded(() => transport.sendRequest(get(key)));
      answer = asksOnce(challenge);
      expect((await call(transport)).result?.status).toBe(200);
      expect(received).toHaveLength(3);
    },
  );

  it('a challenge is cached by one transport only', async () => {
    answer = asksOnce(challenge);
    await call(rerouting());
    await rerouting().sendRequest(get(key));
    expect(received).toHaveLength(3);
  });

  it('the record of a call has no data of the challenge', async () => {
    answer = ({ headers }) =>
      headers.authorization === undefined
        ? {
            ...asks(challenge)(),
            body: error({ code: 'Unauthorized', message: 'AKV10000: Request is missing a token.' }),
          }
        : { status: 403, body: error({ code: 'Forbidden', message: 'no', innererror: { code: 'KeyDisabled' } }) };
    const transport = rerouting();
    const { wire } = await recorded(async () => {
      await transport.sendRequest(get(key));
      return transport.sendRequest(get(key, { token: 't' }));
    });
    expect(wire).toEqual({ status: 403, code: 'Forbidden', innerCode: 'KeyDisabled' });
  });
});

describe('the record of a call', () => {
  const disabled = { status: 403, body: error({ code: 'Forbidden', innererror: { code: 'KeyDisabled' } }) };

  it('the record of a call ignores the parallel renewal of a token, for any result', async () => {
    answer = () => disabled;
    const { wire } = await recorded(async () => {
      const renewed = awaitingToken(() => new Promise<never>(() => undefined));
      await rerouting().sendRequest(get(key, { token: 't' }));
      recordCredentialError({ name: 'Entra', aadsts: '7000229' });
      return Promise.race([renewed, 'answered']);
    });
    expect(wire).toEqual({ status: 403, code: 'Forbidden', innerCode: 'KeyDisabled' });
  });

  it('the record of a call shows the next token request when the vault rejects the first token', async () => {
    answer = () => ({ status: 401, body: error({ code: 'Unauthorized', message: 'AKV10032: Invalid issuer.' }) });
    const { wire } = await recorded(async () => {
      await rerouting().sendRequest(get(key, { token: 't' }));
      recordCredentialError({ name: 'TenantNotAllowed' });
    });
    expect(wire).toMatchObject({ status: 401, credentialError: { name: 'TenantNotAllowed' } });
  });

  it('the record of a call holds status, region, request id and Retry-After', async () => {
    const headers = { 'x-ms-request-id': 'r1', 'x-ms-keyvault-region': 'westeurope', 'retry-after': '7' };
    expect(await wireOf({ status: 429, headers })).toEqual({
      status: 429,
      requestId: 'r1',
      region: 'westeurope',
      retryAfterSeconds: 7,
    });
  });

  it('INV-9: the record of a call holds no request id and no region that is other text of the vault', async () => {
    const headers = { 'x-ms-request-id': '<b>', 'x-ms-keyvault-region': 'r'.repeat(6_000) };
    expect(await wireOf({ status: 429, headers })).toEqual({ status: 429 });
  });

  it('the record of a call holds a Retry-After of at most a minute, for any value of the vault', async () => {
    expect(await wireOf({ status: 503, headers: { 'retry-after': '86400' } })).toEqual({
      status: 503,
      retryAfterSeconds: 60,
    });
  });

  it.each<[string, Answer, WireRecord]>([
    [
      'an inner code',
      { status: 403, body: error({ code: 'Forbidden', innererror: { code: 'ForbiddenByRbac' } }) },
      { status: 403, code: 'Forbidden', innerCode: 'ForbiddenByRbac' },
    ],
    [
      'an inner code in the spelling of the SDK',
      { status: 403, body: error({ code: 'Forbidden', innerError: { code: 'KeyDisabled' } }) },
      { status: 403, code: 'Forbidden', innerCode: 'KeyDisabled' },
    ],
    [
      'an AKV number',
      { status: 401, body: error({ code: 'Unauthorized', message: 'AKV10032: Invalid issuer.' }) },
      { status: 401, code: 'Unauthorized', akv: 'AKV10032' },
    ],
    [
      "a perimeter, though its code is the firewall's",
      {
        status: 403,
        body: error({
          code: 'Forbidden',
          message: 'Request was not allowed by NSP rules and the client address is not authorized.',
          innererror: { code: 'ForbiddenByFirewall' },
        }),
      },
      { status: 403, code: 'Forbidden', innerCode: 'ForbiddenByFirewall', perimeter: true },
    ],
    ['an empty body', { status: 503, body: '' }, { status: 503 }],
    ['HTML', { status: 403, body: '<html>Forbidden by proxy</html>' }, { status: 403 }],
    ['a JSON text', { status: 403, body: '"KeyDisabled"' }, { status: 403 }],
    ['a JSON null', { status: 403, body: 'null' }, { status: 403 }],
    ['an error that is null', { status: 403, body: '{"error":null}' }, { status: 403 }],
    ['an error that is text', { status: 403, body: '{"error":"invalid_grant"}' }, { status: 403 }],
    ['a code that is a number', { status: 403, body: error({ code: 7, innererror: { code: 7 } }) }, { status: 403 }],
    [
      'INV-9: a code that is not one word',
      { status: 403, body: error({ code: 'appid=secret;oid=1', innererror: { code: 'a b' } }) },
      { status: 403 },
    ],
    [
      'INV-9: a message',
      { status: 429, body: error({ code: 'Throttled', message: 'secret' }) },
      { status: 429, code: 'Throttled' },
    ],
    [
      'a Retry-After that is a date',
      { status: 429, headers: { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' } },
      { status: 429 },
    ],
  ])('the record of a call reads %s', async (_, given, expected) => {
    expect(await wireOf(given)).toEqual(expected);
  });

  it('the record of a call shows a broken connection', async () => {
    answer = () => 'hangUp';
    const { wire } = await recorded(() => rerouting().sendRequest(get(key, { token: 't' })));
    expect(wire).toEqual({ networkCode: 'ECONNRESET' });
  });

  it('the record of a call shows a refused connection', async () => {
    const transport = createKeyVaultTransport({ cloud: 'public', emulatorUrl: 'http://127.0.0.1:1' });
    const { wire } = await recorded(() => transport.sendRequest(get(key, { token: 't' })));
    expect(wire).toEqual({ networkCode: 'ECONNREFUSED' });
  });

  it('the record of a call shows that the deadline of Keyward ended it', async () => {
    answer = () => 'silence';
    const abortSignal = AbortSignal.timeout(50);
    const { wire } = await recorded(() => rerouting().sendRequest(get(key, { token: 't', abortSignal })));
    expect(wire).toEqual({ timedOut: true });
  });

  it('parallel calls have separate records', async () => {
    answer = ({ url }) => ({ status: url.endsWith('/a') ? 429 : 503 });
    const transport = rerouting();
    const wires = await Promise.all(
      ['a', 'b'].map((name) =>
        recorded(() => transport.sendRequest(get(`https://contoso.vault.azure.net/keys/${name}`, { token: 't' }))),
      ),
    );
    expect(wires.map(({ wire }) => wire.status)).toEqual([429, 503]);
  });
});

describe('the principal of a call', () => {
  const [oid, appid] = ['0a0a0a0a-0000-4000-8000-000000000001', '0b0b0b0b-0000-4000-8000-000000000002'];
  const jwt = (claims: unknown) => ['e30', Buffer.from(JSON.stringify(claims)).toString('base64url'), 'c2ln'].join('.');
  const caller = `Caller: appid=${appid};oid=${oid};iss=https://sts.windows.net/t1/`;
  const principalOf = async (token: string, message = '') => {
    answer = () => ({ status: 403, body: error({ code: 'Forbidden', message }) });
    return (await recorded(() => rerouting().sendRequest(get(key, { token })))).wire.principal;
  };

  it.each([
    ['version 1', { oid, appid }],
    ['version 2', { oid, azp: appid }],
  ])('the principal of a call is read from a token of %s', async (_, claims) => {
    expect(await principalOf(jwt(claims), caller.replace(oid, appid))).toEqual({ principalId: oid, clientId: appid });
  });

  it('the principal of a call is read from the refusal when the token is opaque', async () => {
    expect(await principalOf('opaque', `Caller is not authorized.\r\n${caller}\r\n`)).toEqual({
      principalId: oid,
      clientId: appid,
    });
  });

  it.each(['opaque', 'a.b.c', jwt(null), jwt([]), jwt({ oid: 7 }), jwt({ oid: 'contoso' }), jwt({ appid })])(
    'the principal of a call is unknown when neither the token nor the response names it: %s',
    async (token) => {
      expect(await principalOf(token, 'oid=secret')).toBeUndefined();
    },
  );
});

describe('a body', () => {
  const limit = 256 * 1024;
  const gzip = { 'content-encoding': 'gzip' };
  const sentWithGzip = async (given: Answer) => {
    answer = () => given;
    const request = get(key, { token: 't' });
    request.headers.set('accept-encoding', 'gzip,deflate');
    return recorded(() => rerouting().sendRequest(request));
  };
  const bodyOf = (length: number) => JSON.stringify({ kid: 'x'.repeat(length - 10) });

  it.each([
    ['of 256 KiB', { body: bodyOf(limit) }],
    ['of 256 KiB once decompressed', { headers: gzip, body: gzipSync(bodyOf(limit)) }],
  ])('a body is read: %s', async (_, given) => {
    const { wire, body } = await sentWithGzip(given);
    expect(wire).toEqual({ status: 200 });
    expect(body).toEqual({ kid: 'x'.repeat(limit - 10) });
  });

  it.each([
    ['one byte longer', { body: bodyOf(limit + 1) }],
    ['of 300 MB from 300 KB', { headers: gzip, body: gzipSync(Buffer.alloc(300_000_000)) }],
  ])('a body is refused, and its bytes are not collected: %s', async (_, given) => {
    const before = process.memoryUsage().rss;
    expect((await sentWithGzip(given)).wire).toEqual({ networkCode: 'BODY_TOO_LARGE' });
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000);
  });

  it('a body that does not match its encoding is an unknown response', async () => {
    expect((await sentWithGzip({ headers: gzip, body: 'plain' })).wire).toEqual({ networkCode: 'Z_DATA_ERROR' });
  });
});
