/** Requests generated from the document: valid, nearly valid and hostile ones, as bytes. */
import fc from 'fast-check';
import { anyText } from '../../anyText.ts';
import type { Json, Judge, Operation } from './judge.ts';

export interface WireRequest {
  readonly method: string;
  /** Path and query, encoded. */
  readonly target: string;
  /** Names and values, alternating. */
  readonly headers: readonly string[];
  readonly body: Uint8Array | undefined;
}

/** Names that exist, or will exist, so that calls affect each other. */
const names = {
  accountName: ['fuzz-a', 'fuzz-b', 'Fuzz-C', 'standing', 'nobody'],
  account: ['fuzz-a', 'standing', 'nobody'],
  name: ['one', 'Two', 'three.x'],
  id: ['9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001', '9D5D2B1E-6C1F-4F0A-8C53-4D9C1F6F0002'],
  keyIdentifier: [
    'https://fuzz-kv.vault.azure.net/keys/cmk',
    'https://fuzz-kv.vault.azure.net/keys/none',
    'https://nowhere-kv.vault.azure.net/keys/cmk',
  ],
  owner: ['contoso', 'fabrikam'],
  location: ['westeurope'],
  value: ['AAAAAAAAAAAAAAAAAAAAAA=='],
  keyValue: ['AAECAw=='],
  baseUri: ['https://a.example/b/?sig=c'],
  files: ['https://a.example/b?sig=c'],
} as Record<string, readonly string[]>;

const prototypes = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'toJSON'];
const traps = [
  ...prototypes,

  '',
  ' ',
  '.',
  '..',
  '../..',
  '%',
  '%2F',
  '%00',
  '\u0000',
  '\\',
  "'",
  '"',
  '*',
  '$top',
  'null',
  'undefined',
  'NaN',
  '\u212Aelvin',
  'ﬀ',
  '\u202E',
  '\uD800',
  '\u{1F511}'.repeat(20),
  'a'.repeat(25),
  'ü'.repeat(200),
  '-1',
  '1e308',

  "x' or '1' eq '1",
  '<script>',
  '$'.concat('{jndi:ldap://x}'),
  'https://169.254.169.254/keys/x',
  'https://x.vault.azure.net',
];

const text = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...traps) }, { weight: 1, arbitrary: anyText(30) });

const nest = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);

const nonsense: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: text },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(null, true, 0, -1, 1e308, 2 ** 53, [], {}, [[]], [{}], '') },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);

// Created once: fast-check builds large tables for each.
const words = fc.string({ minLength: 1, maxLength: 40 });
const anything = fc.jsonValue({ maxDepth: 1 });

/** A value that the schema accepts, most of the time: refinements are not in the document. */
function arbitraryOf(schema: Json, judge: Judge, name = ''): fc.Arbitrary<unknown> {
  const known = names[name];
  const one = judge.resolve(schema);
  if (one.anyOf !== undefined) return fc.oneof(...one.anyOf.map((part: Json) => arbitraryOf(part, judge, name)));
  if ('const' in one) return fc.constant(one.const);
  if (one.enum !== undefined) return fc.constantFrom(...one.enum);
  switch (one.type) {
    case 'string': {
      if (known !== undefined) return fc.constantFrom(...known);
      if (one.pattern !== undefined && one.pattern.length < 60) return fc.stringMatching(new RegExp(one.pattern));
      return words;
    }
    case 'integer':
    case 'number':
      return fc.integer({ min: one.minimum ?? 0, max: one.maximum ?? 1000 });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(arbitraryOf(one.items, judge, name), { minLength: one.minItems ?? 0, maxLength: 3 });
    case 'object': {
      if (one.properties === undefined)
        return fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), arbitraryOf(one.additionalProperties, judge), {
          maxKeys: 3,
        });
      const shape = Object.entries<Json>(one.properties).filter(([, part]) => part.readOnly !== true);
      const arbitraries = shape.map(([key, part]) => [key, arbitraryOf(part, judge, key)] as const);
      return fc.record(Object.fromEntries(arbitraries), { requiredKeys: one.required ?? [] });
    }
    default:
      return anything;
  }
}

/** A value with one small fault: an additional property, another type, or a missing one. */
function nearly(value: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat(),
    what: fc.constantFrom('replace', 'remove', 'add', 'repeat'),
    by: nonsense,
    key: text,
  });
  return fc.tuple(value, edit).map(([sound, { at, what, by, key }]) => {
    const json = JSON.stringify(sound) ?? 'null';
    const places = [...json.matchAll(/"(?:[^"\\]|\\.)*":|[{]/g)];
    const place = places[at % Math.max(places.length, 1)];
    if (place === undefined) return JSON.stringify(by);
    const [found] = place;
    const end = place.index + found.length;
    const [head, tail] = [json.slice(0, end), json.slice(end)];
    const more = `${JSON.stringify(key)}:${JSON.stringify(by)}`;
    if (found === '{') return `${head}${more}${tail.startsWith('}') ? '' : ','}${tail}`;
    if (what === 'replace') return `${head}${JSON.stringify(by)}${tail.replace(/^("(?:[^"\\]|\\.)*"|[^,{}[\]]*)/, '')}`;
    if (what === 'remove') return `${json.slice(0, place.index)}"${key.length}":${tail}`;
    // The same name twice: JSON takes the last one.
    if (what === 'repeat') return `${json.slice(0, place.index)}${found}${JSON.stringify(by)},${found}${tail}`;
    return `${json.slice(0, place.index)}${more},${found}${tail}`;
  });
}

const hostileBody: fc.Arbitrary<string> = fc.oneof(
  nonsense.map((value) => JSON.stringify(value)),
  fc.constantFrom(
    '',
    ' ',
    '{',
    '[',
    'nul',
    '{"a":1}{"b":2}',
    '{"a":NaN}',
    '{a:1}',
    "{'a':1}",
    '\uFEFF{}',
    '<a/>',
    '"\\ud800"',

    nest(5000, '[', ']'),
    nest(30_000, '[', ']'),
    '{"properties":'.repeat(2000),
    `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`,
    `{"tags":${nest(20_000, '[', ']')}}`,
    `{"systemData":${nest(2000, '[', ']')}}`,
    `{"a":${'9'.repeat(5000)}}`,
    '{"properties":{"files":[1e999]}}',
    `{"location":"${'w'.repeat(60_000)}"}`,
    ' '.repeat(65_537),
    `{${Array.from({ length: 2000 }, (_, n) => `"p${n}":${n}`).join()}}`,
    ...prototypes.flatMap((name) => [
      `{"${name}":{"a":1}}`,
      `{"properties":{"${name}":{"a":1}}}`,
      `{"tags":{"${name}":"a"}}`,
    ]),
  ),
);

const encode = (value: unknown): string => {
  const wellFormed = String(value).toWellFormed();
  return encodeURIComponent(wellFormed);
};

/** Encoded in ways that a usual client does not choose. */
const wireText: fc.Arbitrary<string> = fc.oneof(
  text.map(encode),
  fc.constantFrom(
    '%2F',
    '%2f..%2f',
    '..%2F',
    '%5C',
    '%252F',
    '%00',
    '%C0%AF',
    '%E2%84%AA',
    '%',
    '%zz',
    '%u0041',
    '+',
    ';a=b',
    '~',
    ',',

    'a%2Fb',
    '%2e%2e',
    '.%2e',
    'fuzz-a%20',
    'fuzz-a%09',
    'fuzz-a.',
    "fuzz-a'",
    '%F0%9F%94%91',
    '%ED%A0%80',
    'FUZZ-A',
    'a'.repeat(3000),
    `%41`.repeat(500),
    'fuzz-a;x',
    '*',
    '$metadata',
    '@',
    ':',
    '__proto__',
    'constructor',
  ),
);

const header = fc.constantFrom<readonly string[]>(
  ['If-Match', '*'],
  // Some of them reach an account that exists, in every run: they are refused with 412.
  ...Array.from({ length: 5 }, () => ['If-Match', '"x"']),
  ['If-Match', 'W/"x"'],
  ['If-Match', ''],
  ['If-Match', '"a", "b"'],

  ['If-Match', '"a"', 'If-Match', '*'],
  ['If-Match', 'x'.repeat(5000)],
  // Bytes that are not UTF-8, bytes that are, and a character that no client can send.
  ['If-Match', '\u00e4\u00ff"'],
  ['If-Match', '"\u00c3\u00a4"'],
  ['If-Match', '"\u20ac"'],

  ['If-None-Match', '*'],
  ['If-None-Match', '"x"'],
  ['If-None-Match', '*', 'If-None-Match', '*'],
  ['If-None-Match', ''],

  ['Content-Type', 'text/plain'],
  ['Content-Type', 'application/xml'],
  ['Content-Type', ''],

  ['Content-Type', 'application/json; charset=utf-16'],
  ['Content-Type', 'multipart/form-data; boundary=x'],

  ['Content-Encoding', 'gzip'],
  ['Content-Encoding', 'x'],
  ['Accept', 'text/html'],
  ['Accept-Encoding', 'br;q=x'],

  ['X-HTTP-Method-Override', 'DELETE'],
  ['X-Forwarded-Host', 'evil.example'],
  ['X-Original-URL', '/api/accounts'],

  ['Authorization', 'Bearer a.b.c'],
  ['Authorization', 'Basic x'],
  ['Range', 'bytes=0-1'],

  ['traceparent', 'nonsense'],
  ['traceparent', '00-0-0-zz'],
  ['x-ms-request-id', 'mine'],
  ['x-ms-client-request-id', ''],

  ['Cookie', 'a=b; a=c'],
  ['X-Long', 'y'.repeat(10_000)],
  ['__proto__', 'a'],
  ['constructor', 'b'],
  ['Host', 'evil.example'],
);

/**
 * One request for the operation: path, query, conditions and body are each valid most of the time, so that faults occur
 * alone.
 */
export function requestFor({ method, path, spec }: Operation, judge: Judge): fc.Arbitrary<WireRequest> {
  const parameters: Json[] = spec.parameters.map(judge.resolve);
  const inPath = parameters.filter((one) => one.in === 'path');
  const inQuery = parameters.filter((one) => one.in === 'query');
  const sometimes = (sound: fc.Arbitrary<string>, wild: fc.Arbitrary<string>) =>
    fc.oneof({ weight: 3, arbitrary: sound }, { weight: 1, arbitrary: wild });
  const segments = inPath.map(({ name, schema }) => sometimes(arbitraryOf(schema, judge, name).map(encode), wireText));
  const sound = inQuery.map(({ name, schema, required }) =>
    fc.option(
      sometimes(arbitraryOf(schema, judge, name).map(encode), wireText).map((value) => `${name}=${value}`),
      {
        nil: '',
        freq: required ? 20 : 1,
      },
    ),
  );
  const wildQuery = fc.array(
    fc.tuple(wireText, wireText).map(([name, value]) => `${name}=${value}`),
    { maxLength: 3 },
  );
  const query = fc
    .tuple(fc.tuple(...sound), fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: wildQuery }))
    .map(([own, more]) => [...own, ...more].filter((part) => part !== '').join('&'));
  const schema = spec.requestBody?.content['application/json'].schema;
  const input = schema === undefined ? undefined : arbitraryOf(schema, judge);
  const { examples } = judge.resolve(schema) ?? {};
  const body: fc.Arbitrary<string | undefined> =
    input === undefined
      ? fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: hostileBody })
      : fc.oneof(
          { weight: 3, arbitrary: fc.constantFrom(...examples).map((value) => JSON.stringify(value)) },
          { weight: 3, arbitrary: input.map((value) => JSON.stringify(value)) },
          { weight: 3, arbitrary: nearly(fc.oneof(input, fc.constantFrom(...examples))) },
          { weight: 2, arbitrary: hostileBody },
        );
  const bytes = fc.tuple(body, fc.nat(60)).map(([json, dice]) => {
    if (json === undefined) return undefined;
    // Sometimes not UTF-8.
    return dice === 0 ? Buffer.from(json, 'utf16le') : dice === 1 ? Buffer.from([0xff, 0xfe, 0x80]) : Buffer.from(json);
  });
  const headers = fc
    .array(header, { maxLength: 2 })
    .chain((some) => fc.nat(2).map((dice) => (dice === 0 ? some.flat() : [])));
  return fc.tuple(fc.tuple(...segments), query, headers, bytes).map(([values, asked, sent, content]) => {
    let n = 0;
    const filled = path.replace(/\{\w+\}/g, () => values[n++] ?? '');
    return { method, target: asked === '' ? filled : `${filled}?${asked}`, headers: sent, body: content };
  });
}
