import { TableClient, TableServiceClient } from '@azure/data-tables';
import { describe, expect, test } from 'vitest';
import { got, newAccount, refused, useStack, vaultWithKey, withCustomerKey } from '../app/support.ts';
import { keyId } from './support.ts';

const world = useStack();
const base64 = (length: number, fill = 7) => Buffer.alloc(length, fill).toString('base64');
const signed = 'https://media.example.com/in/';
const query = '?sv=2024-11-04&sig=Zm9yZ2VkLXNpZ25hdHVyZQ%3D%3D';

async function account(name: string, owner = 'contoso') {
  await got(201, world.api('PUT', `/api/accounts/${name}`, newAccount(owner)));
  return `/api/accounts/${name}`;
}

describe('the routes of secrets', () => {
  test('content keys over HTTP: put, read without the value, list, reveal one and a page, delete', async () => {
    const { api } = world;
    const at = `${await account('content')}/contentKeys`;
    const properties = { value: base64(16), labelReferenceInStreamingPolicy: 'hd' };
    const put = await got(201, api('PUT', `${at}/${keyId(1).toUpperCase()}`, { properties }));
    await got(201, api('PUT', `${at}/${keyId(2)}`, { properties: { length: 32 } }));
    await got(201, api('PUT', `${at}/${keyId(3)}`, {}));
    const { body, headers } = await got(200, api('GET', `${at}/${keyId(1)}`));
    expect(body.properties).toEqual({ id: keyId(1), labelReferenceInStreamingPolicy: 'hd' });
    expect(headers.get('etag')).toBe(put.headers.get('etag'));
    expect(body.etag).toBe(headers.get('etag'));
    const list = await got(200, api('GET', `${at}?$top=2`));
    expect(list.body.value).toHaveLength(2);
    expect(JSON.stringify([put.body, body, list.body])).not.toContain(properties.value);
    const next = new URL(list.body.nextLink);
    const rest = await got(200, api('GET', next.pathname + next.search));
    expect(rest.body.value).toHaveLength(1);
    const revealed = await got(200, api('POST', `${at}/${keyId(1)}/reveal`));
    expect(revealed.body.properties.value).toBe(properties.value);
    expect(revealed.headers.get('cache-control')).toBe('no-store');
    const page = await got(200, api('POST', `${at}/reveal`));
    expect(page.headers.get('cache-control')).toBe('no-store');
    const lengths = page.body.value.map(
      ({ properties: { value } }: { properties: { value: string } }) => Buffer.from(value, 'base64').length,
    );
    expect(lengths).toEqual([16, 32, 16]);
    // A caller can send back what it has read: the value stays.
    await got(200, api('PUT', `${at}/${keyId(1)}`, body, { 'if-match': body.etag }));
    await refused(412, 'PreconditionFailed', api('PUT', `${at}/${keyId(1)}`, { properties }, { 'if-match': '"old"' }));
    await refused(412, 'PreconditionFailed', api('PUT', `${at}/${keyId(1)}`, { properties }, { 'if-none-match': '*' }));
    expect((await api('DELETE', `${at}/${keyId(1)}`)).status).toBe(200);
    expect((await api('DELETE', `${at}/${keyId(1)}`)).status).toBe(204);
    await refused(404, 'NotFound', api('POST', `${at}/${keyId(1)}/reveal`));
    await refused(404, 'AccountNotFound', api('POST', `/api/accounts/absent/contentKeys/${keyId(1)}/reveal`));
  });

  test('job inputs over HTTP: reveal never returns query strings, only resolve does', async () => {
    const { api } = world;
    const at = `${await account('jobs')}/jobInputs`;
    const properties = { baseUri: signed + query, files: [`a.mp4${query}`, `${signed}b.mp4${query}#t=1`], label: 'in' };
    await got(201, api('PUT', `${at}/job-1`, { properties }));
    const answers = [
      await got(200, api('GET', `${at}/job-1`)),
      await got(200, api('GET', at)),
      await got(200, api('POST', `${at}/job-1/reveal`)),
      await got(200, api('POST', `${at}/reveal`)),
    ];
    for (const { body } of answers) expect(JSON.stringify(body)).not.toMatch(/sig=|\?/);
    expect(answers[0]?.body.properties).toEqual({ label: 'in' });
    expect(answers[2]?.body.properties).toEqual({ baseUri: signed, files: ['a.mp4', `${signed}b.mp4`], label: 'in' });
    const resolved = await got(200, api('POST', `${at}/job-1/resolve`));
    expect(resolved.body.properties).toEqual(properties);
    expect(resolved.headers.get('cache-control')).toBe('no-store');
  });

  test('token keys over HTTP: put, read, list, reveal and delete', async () => {
    const { api } = world;
    const at = `${await account('tokens')}/tokenKeys`;
    await got(201, api('PUT', `${at}/policy-1`, { properties: { keyValue: 'AAA=' } }));
    expect((await got(200, api('GET', `${at}/policy-1`))).body.properties).toEqual({});
    expect((await got(200, api('POST', `${at}/POLICY-1/reveal`))).body.properties).toEqual({ keyValue: 'AAA=' });
  });
});

describe('bad input is refused with the invalid field, and nothing changes', () => {
  const long = `https://media.example.com/${'a'.repeat(4000)}`;
  const secretUrl = `https://media.example.com/a${query}`;
  const bad: [what: string, path: string, properties: unknown, code: string, target: string][] = [
    ['an id that is no UUID', 'contentKeys/key-1', {}, 'InvalidParameter', 'id'],
    ['an id with braces', `contentKeys/%7B${keyId(1)}%7D`, {}, 'InvalidParameter', 'id'],
    [
      'a value that is no base64',
      `contentKeys/${keyId(1)}`,
      { value: '@@@@' },
      'InvalidRequestContent',
      'properties.value',
    ],
    [
      'base64url',
      `contentKeys/${keyId(1)}`,
      { value: '_-__________________-_' },
      'InvalidRequestContent',
      'properties.value',
    ],
    [
      'base64 without padding',
      `contentKeys/${keyId(1)}`,
      { value: base64(16).replaceAll('=', '') },
      'InvalidRequestContent',
      'properties.value',
    ],
    [
      'base64 with a line break',
      `contentKeys/${keyId(1)}`,
      { value: `${base64(16)}\n` },
      'InvalidRequestContent',
      'properties.value',
    ],
    [
      'a content key of 15 bytes',
      `contentKeys/${keyId(1)}`,
      { value: base64(15) },
      'InvalidRequestContent',
      'properties.value',
    ],
    [
      'a content key of 33 bytes',
      `contentKeys/${keyId(1)}`,
      { value: base64(33) },
      'InvalidRequestContent',
      'properties.value',
    ],
    [
      'a content key of no bytes',
      `contentKeys/${keyId(1)}`,
      { value: '' },
      'InvalidRequestContent',
      'properties.value',
    ],
    [
      'a length that there is not',
      `contentKeys/${keyId(1)}`,
      { length: 24 },
      'InvalidRequestContent',
      'properties.length',
    ],
    [
      'an unknown property',
      `contentKeys/${keyId(1)}`,
      { secret: base64(16) },
      'InvalidRequestContent',
      'properties.secret',
    ],
    ['a token key of no bytes', 'tokenKeys/k', { keyValue: '' }, 'InvalidRequestContent', 'properties.keyValue'],
    [
      'a token key of 1,025 bytes',
      'tokenKeys/k',
      { keyValue: base64(1025) },
      'InvalidRequestContent',
      'properties.keyValue',
    ],
    ['no value of a new token key', 'tokenKeys/new', {}, 'InvalidRequestContent', 'properties.keyValue'],
    ['no file of a new job input', 'jobInputs/new', { label: 'a' }, 'InvalidRequestContent', 'properties.files'],
    ['a name with a slash', 'tokenKeys/a%2Fb', { keyValue: 'AAA=' }, 'InvalidParameter', 'name'],
    ['a name of 129 characters', `tokenKeys/${'n'.repeat(129)}`, { keyValue: 'AAA=' }, 'InvalidParameter', 'name'],
    [
      'an over-long base URI',
      'jobInputs/j',
      { baseUri: long, files: ['a'] },
      'InvalidRequestContent',
      'properties.baseUri',
    ],
    ['an over-long file', 'jobInputs/j', { files: [secretUrl, long] }, 'InvalidRequestContent', 'properties.files.1'],
    ['no file', 'jobInputs/j', { files: [] }, 'InvalidRequestContent', 'properties.files'],
    ['101 files', 'jobInputs/j', { files: Array(101).fill(secretUrl) }, 'InvalidRequestContent', 'properties.files'],
    [
      'files that are too long together',
      'jobInputs/j',
      { files: Array(10).fill(`${signed}${'a'.repeat(3000)}`) },
      'InvalidRequestContent',
      'properties.files',
    ],
    [
      'a relative file without a base',
      'jobInputs/j',
      { files: [`a.mp4${query}`] },
      'InvalidRequestContent',
      'properties.files.0',
    ],
    [
      'plain http',
      'jobInputs/j',
      { files: [secretUrl.replace('https', 'http')] },
      'InvalidRequestContent',
      'properties.files.0',
    ],
    [
      'another scheme behind a base',
      'jobInputs/j',
      { baseUri: signed, files: ['file:///etc/passwd'] },
      'InvalidRequestContent',
      'properties.files.0',
    ],
    [
      'a URL with a password',
      'jobInputs/j',
      { files: ['https://u:p@media.example.com/a'] },
      'InvalidRequestContent',
      'properties.files.0',
    ],
    [
      'a URL with a line break',
      'jobInputs/j',
      { files: [`${signed}a\nb`] },
      'InvalidRequestContent',
      'properties.files.0',
    ],
  ];

  test('each route of secrets', async () => {
    const { api } = world;
    const at = await account('bad');
    await got(201, api('PUT', `${at}/tokenKeys/k`, { properties: { keyValue: 'AAE=' } }));
    const { etag } = (await got(200, api('GET', at))).body;
    for (const [what, path, properties, code, target] of bad) {
      const { status, body } = await api('PUT', `${at}/${path}`, { properties });
      const seen = { what, status, code: body?.error?.code, target: body?.error?.target };
      expect(seen).toEqual({ what, status: 400, code, target });
      expect(JSON.stringify(body)).not.toMatch(/sig=|passwd|u:p/);
    }
    expect((await got(200, api('GET', at))).body.etag).toBe(etag);
    for (const kind of ['contentKeys', 'jobInputs'])
      expect((await got(200, api('GET', `${at}/${kind}`))).body.value).toEqual([]);
    expect((await got(200, api('POST', `${at}/tokenKeys/k/reveal`))).body.properties).toEqual({ keyValue: 'AAE=' });
    await refused(400, 'InvalidParameter', api('GET', `${at}/tokenKeys?$top=101`));
    await refused(400, 'InvalidParameter', api('GET', `${at}/contentKeys?$skipToken=record`));
    await refused(
      413,
      'RequestTooLarge',
      api('PUT', `${at}/tokenKeys/k`, { properties: { keyValue: 'A'.repeat(70_000) } }),
    );
  });
});

describe('INV-9: after a busy scenario', () => {
  test('INV-9: after many calls no row of any table, no log line and no error holds a plaintext, in any encoding', async () => {
    const { api, stack } = world;
    await account('busy');
    const at = '/api/accounts/busy';
    await api('PATCH', at, { properties: { auditKeyUse: true } });
    const keys = [1, 2, 3, 4].map((n) => Buffer.from(`content-key-no-${n}`.padEnd(16, '#')));
    const token = Buffer.from('a token key that no table may show');
    const url = `${signed}clip.mp4${query}`;
    const writeAll = async () => {
      for (const [n, key] of keys.entries())
        await api('PUT', `${at}/contentKeys/${keyId(n)}`, { properties: { value: key.toString('base64') } });
      await api('PUT', `${at}/tokenKeys/t`, { properties: { keyValue: token.toString('base64') } });
      await api('PUT', `${at}/jobInputs/j`, { properties: { baseUri: signed + query, files: [url] } });
    };
    await writeAll();
    await got(200, api('PATCH', at, withCustomerKey('contoso', await vaultWithKey(world, 'busy-kv'))));
    await got(202, api('POST', '/api/operator/accounts/busy/rotateAccountKey'));
    await writeAll();
    const made = await got(200, api('POST', `${at}/contentKeys/reveal`));
    await got(200, api('POST', `${at}/jobInputs/j/reveal`));
    await got(200, api('POST', `${at}/jobInputs/j/resolve`));
    await got(200, api('POST', `${at}/tokenKeys/t/reveal`));
    expect(made.body.value).toHaveLength(4);
    await refused(
      400,
      'InvalidRequestContent',
      api('PUT', `${at}/jobInputs/j`, { properties: { files: [`${url} `] } }),
    );

    const plaintexts = [...keys, token, Buffer.from(url), Buffer.from(query), Buffer.from('Zm9yZ2VkLXNpZ25hdHVyZQ')];
    const forms = plaintexts.flatMap((plain) => [
      plain.toString('latin1'),
      plain.toString('hex'),
      plain.toString('hex').toUpperCase(),
      // After any prefix, two of every three characters of the base64 stay the same, so the search is for the middle.
      ...[0, 1, 2].flatMap((shift) => {
        const shifted = Buffer.concat([Buffer.alloc(shift), plain]);
        return [shifted.toString('base64'), shifted.toString('base64url')].map((text) => text.slice(4, -4));
      }),
    ]);
    const text = [
      ...(await everyRow(stack.azurite.connectionString)),
      ...world.records.map((record) => JSON.stringify(record)),
    ];
    expect(text.length).toBeGreaterThan(30);
    for (const form of forms) expect(text.filter((row) => row.includes(form))).toEqual([]);
    // The search works: it finds the name of the account's vault in the same rows.
    expect(text.some((row) => row.includes('busy-kv'))).toBe(true);
  });
});

async function everyRow(connection: string): Promise<string[]> {
  const options = { allowInsecureConnection: true };
  const rows: string[] = [];
  for await (const { name } of TableServiceClient.fromConnectionString(connection, options).listTables()) {
    const entities = TableClient.fromConnectionString(connection, name ?? '', options).listEntities();
    for await (const entity of entities) rows.push(JSON.stringify(entity));
  }
  return rows;
}
