/** What every HTTP call has in common: authorization, limits, ids and links of answers, and unknown routes. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { TableClient } from '@azure/data-tables';
import { beforeAll, describe, expect, test } from 'vitest';
import { sign } from '../../packages/entra-emulator/src/signing.ts';
import { type Answer, type Caller, caller } from '../../src/local/client.ts';
import { apiAudience, homeTenantId, location } from '../../src/local/operator.ts';
import { got, newAccount, refused, useStack } from './support.ts';

const revealsPerMinute = 3;
const world = useStack({
  settings: { KEYWARD_AUTH: 'entra', KEYWARD_REVEALS_PER_MINUTE: String(revealsPerMinute) },
});

const everyRole = [
  'Accounts.Read',
  'Accounts.Write',
  'Accounts.Delete',
  'Secrets.Write',
  'Secrets.Reveal',
  'Keys.Operate',
  'Audit.Read',
];

const token = (oid: string, more: Record<string, unknown> = {}): Promise<string> =>
  sign(homeTenantId, {
    iss: `${world.stack.identity.url}/${homeTenantId}/v2.0`,
    aud: apiAudience,
    tid: homeTenantId,
    exp: Math.floor(Date.now() / 1000) + 600,
    azp: 'service-of-contoso',
    idtyp: 'app',
    oid,
    roles: everyRole,
    ...more,
  });

/** A caller of its own, so that no test spends another's budget. */
const as = async (oid: string, more: Record<string, unknown> = {}): Promise<Caller> =>
  caller(world.stack.host.url, { authorization: `Bearer ${await token(oid, more)}` });

/** A request that fetch would not send. */
function raw(method: string, path: string, headers: Record<string, string | number>) {
  const { hostname, port } = new URL(world.stack.host.url);
  const call = request({ method, hostname, port, path, headers });
  call.on('error', () => undefined);
  return call;
}

async function answerTo(call: ClientRequest): Promise<{ status: number | undefined; text: string }> {
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += chunk;
  call.destroy();
  return { status: answer.statusCode, text };
}

beforeAll(async () => {
  const api = await as('writer');
  await got(201, api('PUT', '/api/accounts/mine', newAccount('contoso')));
  await got(201, api('PUT', '/api/accounts/theirs', newAccount('fabrikam')));
  await got(201, api('PUT', '/api/accounts/mine/tokenKeys/klaus', { properties: { keyValue: 'AAAA' } }));
});

describe('a caller without a valid token', () => {
  test('a caller without a valid token gets 401 with WWW-Authenticate (RFC 9110, 15.5.2), which says invalid_token where a token came', async () => {
    const bare = await refused(401, 'AuthenticationFailed', caller(world.stack.host.url, {})('GET', '/api/accounts'));
    expect(bare.headers.get('www-authenticate')).toMatch(/^Bearer .*authorization_uri="https:.*"$/);
    const wrong = caller(world.stack.host.url, { authorization: 'Bearer a.b.c' })('GET', '/api/accounts');
    expect((await wrong).headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  test('a caller without a valid token is refused before its body of 100 MB has arrived', async () => {
    const call = raw('PUT', '/api/accounts/flood', { 'content-length': 100_000_000 });
    call.write(Buffer.alloc(65_536));
    expect((await answerTo(call)).status).toBe(401);
  });
});

describe('a body', () => {
  test('a body without Content-Length is read no further than the limit', async () => {
    const call = raw('PUT', '/api/accounts/streamed', { authorization: `Bearer ${await token('sender')}` });
    const answer = answerTo(call);
    for (let n = 0; n < 3; n++) call.write(Buffer.alloc(65_536));
    const { status, text } = await answer;
    expect([status, JSON.parse(text).error.code]).toEqual([413, 'RequestTooLarge']);
  });

  const subscription = '/api/subscriptions/6f6f4b1c-6b0e-4d3a-9a51-0d3f5c1f0001/resourceGroups/media';
  test.each([
    ['the native API', '/api/accounts/patched', newAccount('fabrikam')],
    [
      'clients of Azure Media Services',
      `${subscription}/providers/Microsoft.Media/mediaservices/amspatched?api-version=2021-06-01`,
      { location },
    ],
  ])(
    'a body of %s as a JSON merge patch (RFC 7396) is 415, and changes nothing: it would mean something else',
    async (_, path, input) => {
      const api = await as('patcher');
      await got(201, api('PUT', path, { ...input, tags: { a: '1' } }));
      const patch = { 'content-type': 'application/merge-patch+json' };
      await refused(415, 'UnsupportedMediaType', api('PATCH', path, { tags: { a: null, b: '2' } }, patch));
      expect((await got(200, api('GET', path))).body.tags).toEqual({ a: '1' });
    },
  );
});

describe('a token that names owners', () => {
  const limited = (more = {}) => as('limited', { roles: [...everyRole, 'Owner:contoso'], ...more });

  test('a token that names owners sees accounts of other owners as absent, alone and in the list', async () => {
    const api = await limited();
    await got(200, api('GET', '/api/accounts/mine'));
    await refused(404, 'AccountNotFound', api('GET', '/api/accounts/theirs'));
    await refused(404, 'AccountNotFound', api('DELETE', '/api/accounts/theirs'));
    await refused(404, 'AccountNotFound', api('POST', '/api/accounts/theirs/tokenKeys/k/reveal'));
    const { body } = await got(200, api('GET', '/api/accounts'));
    expect(body.value.map(({ name }: { name: string }) => name)).toEqual(['mine']);
    await got(200, (await as('reader'))('GET', '/api/accounts/theirs'));
  });

  test('a token that names owners creates accounts of its owners only', async () => {
    const api = await limited();
    await refused(403, 'AuthorizationFailed', api('PUT', '/api/accounts/theirs-too', newAccount('fabrikam')));
    await got(201, api('PUT', '/api/accounts/mine-too', newAccount('contoso')));
  });

  test('pages through the list to its end, and no nextLink names an account of another owner', async () => {
    const api = await limited();
    const found: string[] = [];
    const links: string[] = [];
    for (let next: string | undefined = '/api/accounts?$top=1'; next !== undefined; ) {
      const { body }: Answer = await got(200, api('GET', next));
      found.push(...body.value.map(({ name }: { name: string }) => name));
      const link: string | undefined = body.nextLink;
      links.push(decodeURIComponent(link ?? ''));
      next = link === undefined ? undefined : link.slice(new URL(link).origin.length);
    }
    expect(found).toContain('mine');
    expect(links.length).toBeGreaterThan(2);
    expect(links.join(' ')).not.toMatch(/mine|theirs/);
    await refused(400, 'InvalidParameter', api('GET', '/api/accounts?$skipToken=theirs'));
  });

  test('a token that names owners checks no key in the name of another owner', async () => {
    const keyIdentifier = 'https://fabrikam-keys.vault.azure.net/keys/cmk';
    const { location, properties } = newAccount('fabrikam');
    const encryption = { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } };
    const body = { location, properties: { ...properties, encryption } };
    const check = (await limited())('POST', '/api/accounts/not-yet/validateEncryption', body);
    await refused(403, 'AuthorizationFailed', check);
  });

  test('a token that names owners cancels no creation that waits in a subscription of another owner', async () => {
    const group = '/api/subscriptions/99990000-0000-4000-8000-000000000001/resourceGroups/media';
    const path = (name: string) => `${group}/providers/Microsoft.Media/mediaservices/${name}?api-version=2021-11-01`;
    await got(204, (await as('administrator'))('DELETE', path('cancelled')));
    await got(204, (await limited())('DELETE', path('waiting')));
    const { connectionString } = world.stack.azurite;
    const table = TableClient.fromConnectionString(connectionString, 'keywardoperations', {
      allowInsecureConnection: true,
    });
    const cancelled: unknown[] = [];
    for await (const row of table.listEntities({ queryOptions: { filter: "RowKey ge 'deleted-'" } }))
      cancelled.push(row);
    expect(cancelled).toHaveLength(1);
  });

  test('a token that names owners makes none of the calls that are about all accounts', async () => {
    const answer = await refused(403, 'AuthorizationFailed', (await limited())('GET', '/api/operator/rings'));
    expect(answer.body.error.message).toContain('contoso');
  });
});

describe('applications', () => {
  test('applications that KEYWARD_AUTH_CLIENTS does not name are not authenticated', async () => {
    process.env.KEYWARD_AUTH_CLIENTS = 'another SERVICE-OF-CONTOSO';
    try {
      await got(200, (await as('named'))('GET', '/api/accounts'));
      await refused(401, 'AuthenticationFailed', (await as('stranger', { azp: 'stranger' }))('GET', '/api/accounts'));
    } finally {
      delete process.env.KEYWARD_AUTH_CLIENTS;
    }
  });
});

describe('reveals', () => {
  test('reveals beyond the budget of a caller are 429 with Retry-After, and other callers and calls are served', async () => {
    const api = await as('greedy');
    const reveal = (from: Caller) => from('POST', '/api/accounts/mine/tokenKeys/klaus/reveal');
    for (let n = 0; n < revealsPerMinute; n++) await got(200, reveal(api));
    const answer = await refused(429, 'TooManyRequests', reveal(api));
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    await got(200, api('GET', '/api/accounts/mine'));
    await got(200, reveal(await as('modest')));
  });
});

describe('names', () => {
  test('names with a letter that only folds to ours are refused, and the secret of the folded name keeps its value', async () => {
    const api = await as('writer');
    const kelvin = `/api/accounts/mine/tokenKeys/${encodeURIComponent('\u212Alaus')}`;
    await refused(400, 'InvalidParameter', api('PUT', kelvin, { properties: { keyValue: 'BBBB' } }));
    const { body } = await got(200, (await as('looker'))('POST', '/api/accounts/mine/tokenKeys/klaus/reveal'));
    expect(body.properties.keyValue).toBe('AAAA');
  });
});

describe('query parameters', () => {
  test.each(['owner=contoso', 'state=CustomerKeyInaccessible', '$filter=x', 'top=1', '$top=1&$top=2'])(
    '?%s is 400 InvalidParameter, with those that the call has',
    async (query) => {
      const { body } = await refused(400, 'InvalidParameter', (await as('asker'))('GET', `/api/accounts?${query}`));
      expect(body.error.message).toMatch(/\$top|twice/);
    },
  );

  test('query parameters that the call has, and the key that the host reads, are taken', async () => {
    const { body } = await got(200, (await as('asker'))('GET', '/api/accounts?$top=1&code=key-of-the-host'));
    expect(body.value).toHaveLength(1);
  });
});

describe('ids of a call', () => {
  test("ids of a call come back: ours always, the caller's where it asks for it, and never what is no id", async () => {
    const api = await as('asker');
    const asks = { 'x-ms-return-client-request-id': 'true' };
    const mine = await api('GET', '/api/accounts', undefined, { ...asks, 'x-ms-client-request-id': 'mine' });
    expect(mine.headers.get('x-ms-client-request-id')).toBe('mine');
    expect(mine.headers.get('x-ms-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const unasked = await api('GET', '/api/accounts', undefined, { 'x-ms-client-request-id': 'mine' });
    expect(unasked.headers.has('x-ms-client-request-id')).toBe(false);
    const odd = await api('GET', '/api/accounts', undefined, { ...asks, 'x-ms-client-request-id': 'a b;c' });
    expect(odd.headers.has('x-ms-client-request-id')).toBe(false);
  });

  test('ids of a call are a field of every log line of the call', async () => {
    const from = world.records.length;
    const { headers } = await (await as('logged'))('POST', '/api/accounts/mine/tokenKeys/klaus/reveal');
    const id = headers.get('x-ms-request-id');
    const lines = world.records.slice(from).filter(({ category }) => category.endsWith('tokenKeysReveal.User'));
    const ofCall = lines.filter(({ message }) => !message.startsWith('Metric'));
    expect(ofCall.length).toBeGreaterThan(0);
    for (const { message } of ofCall) expect(message).toContain(`"requestId":"${id}"`);
  });
});

describe('what is no call', () => {
  test('a known path with another method is 405 with Allow', async () => {
    const api = await as('asker');
    const answer = await refused(405, 'MethodNotAllowed', api('POST', '/api/accounts/mine', {}));
    expect(answer.headers.get('allow')).toBe('GET, HEAD, PUT, PATCH, DELETE');
    expect(answer.headers.get('x-ms-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('an unknown path is 404 with an error body and an id', async () => {
    const answer = await refused(404, 'NotFound', (await as('asker'))('GET', '/api/nothing/here?code=secret'));
    expect(answer.headers.get('x-ms-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  });

  test.each(['/api/health/live', '/api/health/ready', '/api/openapi.json', '/api/accounts', '/api/accounts/mine'])(
    'HEAD of %s answers as GET does, without a body: front doors and monitors probe with it',
    async (path) => {
      const api = await as('asker');
      const [asGet, asHead] = [await api('GET', path), await api('HEAD', path)];
      expect(asHead.status).toBe(asGet.status);
      expect(asHead.body).toBeUndefined();
      expect(asHead.headers.get('etag')).toBe(asGet.headers.get('etag'));
    },
  );

  test('TRACE is refused at once', async () => {
    const call = raw('TRACE', '/api/accounts/mine', {});
    call.end();
    expect((await answerTo(call)).status).toBe(404);
  });
});

describe('GET with If-None-Match', () => {
  test('GET with If-None-Match of the present ETag is 304 without a body; of another it is 200', async () => {
    const api = await as('asker');
    const { headers, body } = await got(200, api('GET', '/api/accounts/mine'));
    expect(headers.get('etag')).toBe(body.etag);
    const known = { 'if-none-match': `"x", W/${body.etag}` };
    expect((await api('GET', '/api/accounts/mine', undefined, known)).status).toBe(304);
    expect((await api('GET', '/api/accounts/mine', undefined, { 'if-none-match': '"x"' })).status).toBe(200);
    await got(200, api('PATCH', '/api/accounts/mine', { tags: { changed: 'yes' } }, { 'if-match': body.etag }));
    expect((await api('GET', '/api/accounts/mine', undefined, known)).status).toBe(200);
  });
});

describe('links', () => {
  test('links follow no Host header that is not configured', async () => {
    const api = await as('asker');
    await got(201, api('PUT', '/api/accounts/linked', { location, properties: { owner: 'contoso' } }));
    const headers = { host: 'evil.example', authorization: `Bearer ${await token('asker')}` };
    const call = raw('GET', '/api/accounts?$top=1', headers);
    call.end();
    expect(JSON.parse((await answerTo(call)).text).nextLink).toMatch(/^\/api\/accounts\?/);
  });
});
