import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
  RestError,
} from '@azure/core-rest-pipeline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  awaitingToken,
  createKeyVaultTransport,
  recordCredentialError,
  recorded,
  type WireRecord,
} from '../../src/azure/keyVaultTransport.ts';

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
}
interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Whatever is sent anywhere arrives here. */
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
    const told = answer(seen);
    if (told === 'hangUp') return void request.socket.destroy();
    if (told === 'silence') return;
    response.writeHead(told.status ?? 200, told.headers).end(told.body ?? '{}');
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

/** One call, as the SDK makes it, and what it showed. */
const wireOf = async (told: Answer): Promise<WireRecord> => {
  answer = () => told;
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
  ])('is refused before anything is sent: %s', async (url) => {
    await expect(rerouting().sendRequest(get(url, { token: 't' }))).rejects.toMatchObject({ code: 'HostNotAllowed' });
    expect(received).toEqual([]);
  });

  it('is refused without an emulator too, with nothing sent to a server that would answer', async () => {
    const transport = createKeyVaultTransport({ cloud: 'public' });
    await expect(transport.sendRequest(get(`${here}/keys/cmk`, { token: 't' }))).rejects.toBeInstanceOf(RestError);
    expect(received).toEqual([]);
  });

  it('is not reached by a redirect', async () => {
    answer = () => ({ status: 307, headers: { location: `${here}/stolen` } });
    const pipeline = createPipelineFromOptions({ retryOptions: { maxRetries: 0 } });
    await pipeline.sendRequest(rerouting(), get(key, { token: 't' })).catch(() => undefined);
    expect(received.map(({ url }) => url)).toEqual(['/keys/cmk']);
  });
});

describe('in development', () => {
  it('requests go to the emulator, which knows the vault by its Host header', async () => {
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

  it.each(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED'])('the emulator can stage %s', async (code) => {
    answer = () => ({ headers: { 'x-emulator-network-error': code } });
    const { wire, error: thrown } = await recorded(() => rerouting().sendRequest(get(key, { token: 't' })));
    expect(wire).toEqual({ networkCode: code });
    expect(thrown).toMatchObject({ name: 'RestError', code });
  });
});

describe('the challenge of a vault', () => {
  const asks = (header: string) => () => ({ status: 401, headers: { 'www-authenticate': header } });

  it('is paid once for each vault, and given again without a round trip', async () => {
    answer = asks(challenge);
    const transport = rerouting();
    await transport.sendRequest(get(key));
    const again = await transport.sendRequest(get('https://contoso.vault.azure.net/keys/other'));
    expect(received).toHaveLength(1);
    expect(again.status).toBe(401);
    expect(again.headers.get('www-authenticate')).toBe(challenge);
    await transport.sendRequest(get('https://fabrikam.vault.azure.net/keys/cmk'));
    expect(received).toHaveLength(2);
  });

  it('never answers a request that has a token', async () => {
    answer = asks(challenge);
    const transport = rerouting();
    await transport.sendRequest(get(key));
    answer = () => ({ status: 200 });
    expect((await transport.sendRequest(get(key, { token: 't' }))).status).toBe(200);
    expect(received).toHaveLength(2);
  });

  it('is replaced when the vault asks for something else', async () => {
    answer = asks(challenge);
    const transport = rerouting();
    await transport.sendRequest(get(key));
    answer = asks(challenge.replace('t1', 't2'));
    await transport.sendRequest(get(key, { token: 'of t1' }));
    const again = await transport.sendRequest(get(key));
    expect(again.headers.get('www-authenticate')).toBe(challenge.replace('t1', 't2'));
  });

  it('is remembered by one transport and no other', async () => {
    answer = asks(challenge);
    await rerouting().sendRequest(get(key));
    await rerouting().sendRequest(get(key));
    expect(received).toHaveLength(2);
  });

  it('leaves nothing of the first answer in the record of the call', async () => {
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

  it('tells nothing of a token that is renewed beside the call, whatever becomes of it', async () => {
    answer = () => disabled;
    const { wire } = await recorded(async () => {
      const renewed = awaitingToken(() => new Promise<never>(() => undefined));
      await rerouting().sendRequest(get(key, { token: 't' }));
      recordCredentialError({ name: 'Entra', aadsts: '7000229' });
      return Promise.race([renewed, 'answered']);
    });
    expect(wire).toEqual({ status: 403, code: 'Forbidden', innerCode: 'KeyDisabled' });
  });

  it('tells of the next token when the vault wants another', async () => {
    answer = () => ({ status: 401, body: error({ code: 'Unauthorized', message: 'AKV10032: Invalid issuer.' }) });
    const { wire } = await recorded(async () => {
      await rerouting().sendRequest(get(key, { token: 't' }));
      recordCredentialError({ name: 'TenantNotAllowed' });
    });
    expect(wire).toMatchObject({ status: 401, credentialError: { name: 'TenantNotAllowed' } });
  });

  it('holds status, codes, region, request id and the key version that answered', async () => {
    const headers = { 'x-ms-request-id': 'r1', 'x-ms-keyvault-region': 'westeurope', 'retry-after': '7' };
    expect(
      await wireOf({ headers, body: '{"kid":"https://contoso.vault.azure.net/keys/cmk/1","value":"AAAA"}' }),
    ).toEqual({
      status: 200,
      requestId: 'r1',
      region: 'westeurope',
      retryAfterSeconds: 7,
      kid: 'https://contoso.vault.azure.net/keys/cmk/1',
    });
    expect(await wireOf({ body: '{"key":{"kid":"https://contoso.vault.azure.net/keys/cmk/2"}}' })).toMatchObject({
      kid: 'https://contoso.vault.azure.net/keys/cmk/2',
    });
  });

  it.each<[string, Answer, WireRecord]>([
    [
      'an inner code',
      { status: 403, body: error({ code: 'Forbidden', innererror: { code: 'ForbiddenByRbac' } }) },
      { status: 403, code: 'Forbidden', innerCode: 'ForbiddenByRbac' },
    ],
    [
      'an inner code, spelt as the SDK does',
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
      'INV-9: a code that is no word',
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
  ])('reads %s', async (_, told, expected) => {
    expect(await wireOf(told)).toEqual(expected);
  });

  it('says when the connection broke', async () => {
    answer = () => 'hangUp';
    const { wire } = await recorded(() => rerouting().sendRequest(get(key, { token: 't' })));
    expect(wire).toEqual({ networkCode: 'ECONNRESET' });
  });

  it('says when nothing listens', async () => {
    const transport = createKeyVaultTransport({ cloud: 'public', emulatorUrl: 'http://127.0.0.1:1' });
    const { wire } = await recorded(() => transport.sendRequest(get(key, { token: 't' })));
    expect(wire).toEqual({ networkCode: 'ECONNREFUSED' });
  });

  it('says when our own deadline came first', async () => {
    answer = () => 'silence';
    const abortSignal = AbortSignal.timeout(50);
    const { wire } = await recorded(() => rerouting().sendRequest(get(key, { token: 't', abortSignal })));
    expect(wire).toEqual({ timedOut: true });
  });

  it('is kept apart for calls that run at once', async () => {
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
