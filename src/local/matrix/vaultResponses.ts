/** A vault that is busy or broken, or a device on the path that answers instead of the vault. */

import { gzipSync } from 'node:zlib';
import type { Cause } from '../../core/base/causes.ts';
import { fault, outage, played, type Row } from './row.ts';

const bodies = ['json', 'html', 'empty'] as const;

function status(code: number, body: (typeof bodies)[number], cause: Cause, evidence: Row['evidence']): Row {
  return {
    name: `${code} with ${{ json: 'a JSON error', html: 'HTML', empty: 'an empty body' }[body]}`,
    evidence,
    ...fault({ action: 'status', status: code, body }),
    expect: outage(cause),
  };
}

const json = { 'content-type': 'application/json; charset=utf-8' };
const kidOf = (path: string): string => `https://any.vault.azure.net${path.replace(/\/unwrapkey.*/i, '')}`;
/** Base64url of bytes that are no wrapped key. */
const someValue = 'AAECAwQFBgcICQoLDA0ODw';

/** 300 MB of zeros in 300 KB: 30 members of a gzip file, each of 10 MB (RFC 1952, 2.2). */
const largeInGzip = Buffer.concat(Array(30).fill(gzipSync(Buffer.alloc(10_000_000))));

export const answers: readonly Row[] = [
  {
    name: '429 with Retry-After',
    evidence: 'documented',
    ...fault({ action: 'throttled', retryAfter: 120 }),
    expect: outage('Throttled'),
  },
  {
    name: '429 without Retry-After',
    evidence: 'recorded',
    ...fault({ action: 'throttled' }),
    expect: outage('Throttled'),
  },
  status(408, 'empty', 'VaultTimeout', 'inferred'),
  status(409, 'json', 'UnknownResponse', 'inferred'),
  ...bodies.map((body) => status(500, body, 'VaultUnavailable', body === 'json' ? 'documented' : 'inferred')),
  status(502, 'html', 'VaultUnavailable', 'inferred'),
  ...bodies.map((body) => status(503, body, 'VaultUnavailable', body === 'json' ? 'documented' : 'recorded')),
  status(504, 'html', 'VaultUnavailable', 'inferred'),
  {
    name: '503 with a Retry-After of an hour',
    evidence: 'documented',
    ...fault({ action: 'status', status: 503, retryAfter: 3600 }),
    expect: outage('VaultUnavailable'),
  },
  {
    name: '301 to a host that is not a Key Vault',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 301, body: 'empty', headers: { location: 'https://captive.example/login' } }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '307 to a host that is not a Key Vault',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 307, body: 'empty', headers: { location: 'https://captive.example/login' } }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '200 with an empty body',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 200, body: 'empty' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '200 with HTML: the login page of a captive network',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 200, body: 'html' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '200 with an error in the body',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 200, body: 'json', code: 'KeyNotFound' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '200 by another version of the key than the requested one',
    evidence: 'inferred',
    ...played((response) =>
      response
        .writeHead(200, json)
        .end(JSON.stringify({ kid: `https://any.vault.azure.net/keys/cmk/${'0'.repeat(32)}`, value: someValue })),
    ),
    expect: outage('UnknownResponse'),
  },
  {
    name: '200 by the right version, with bytes that are not an account key',
    evidence: 'inferred',
    ...played((response, path) =>
      response.writeHead(200, json).end(JSON.stringify({ kid: kidOf(path), value: someValue })),
    ),
    expect: outage('KeyMaterialMismatch'),
  },
  {
    name: '200 by the right version, without a value',
    evidence: 'inferred',
    ...played((response, path) => response.writeHead(200, json).end(JSON.stringify({ kid: kidOf(path) }))),
    expect: outage('UnknownResponse'),
  },
  {
    name: '200 whose kid is a number',
    evidence: 'inferred',
    ...played((response) => response.writeHead(200, json).end(JSON.stringify({ kid: 7, value: someValue }))),
    expect: outage('UnknownResponse'),
  },
  ...(
    [
      ['a list', ['AAECAw']],
      ['empty', ''],
      ['text that is no base64url', '%%%%'],
      ['longer than any key permits', 'A'.repeat(4096)],
    ] as const
  ).map(
    ([what, value]): Row => ({
      name: `200 whose value is ${what}`,
      evidence: 'inferred',
      ...played((response, path) => response.writeHead(200, json).end(JSON.stringify({ kid: kidOf(path), value }))),
      expect: outage('UnknownResponse'),
    }),
  ),
  {
    name: '200 with a body that decompresses to 300 MB',
    evidence: 'inferred',
    ...played((response) => response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end(largeInGzip)),
    expect: outage('UnknownResponse'),
  },
  {
    name: '403 of a disabled key in a body that decompresses to 300 MB',
    evidence: 'inferred',
    ...played((response) => response.writeHead(403, { ...json, 'content-encoding': 'gzip' }).end(largeInGzip)),
    expect: outage('UnknownResponse'),
  },
  {
    name: '200 that breaks off in the middle of its body',
    evidence: 'inferred',
    ...played((response) => {
      response.writeHead(200, { ...json, 'content-length': 1000 }).write('{"kid":');
      setImmediate(() => response.socket?.destroy());
    }),
    expect: outage('ConnectionFailed'),
  },
  {
    name: 'a server answers that does not speak HTTP',
    evidence: 'inferred',
    ...played((response) => response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n')),
    expect: outage('UnknownResponse'),
  },
];
