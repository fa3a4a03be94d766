import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isResultOf, keyBundleIn } from '../../src/azure/keyVaultAnswers.ts';
import { wrapRsaOaep256 } from '../../src/azure/rsaWrap.ts';
import { bytesOf } from '../../src/core/base/bytes.ts';

const version = '92d0a9f947d847beaa970b0526eab569';
const kid = `https://contoso.vault.azure.net/keys/cmk/${version}`;

/** Recorded traffic of the real service (azure-sdk-for-js, recording_can_create_a_key). */
const recordedBundle = {
  key: {
    kid,
    kty: 'RSA',
    key_ops: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
    n: 'AAECAwQFBgcICQoLDA0ODw',
    e: 'AQAB',
  },
  attributes: {
    enabled: true,
    created: 1633481898,
    updated: 1633481898,
    recoveryLevel: 'CustomizedRecoverable+Purgeable',
    recoverableDays: 7,
  },
};
const recordedResult = { kid, value: 'AAECAwQFBgcICQoLDA0ODw' };
const at = (path: string, value: unknown, base: object = recordedBundle): unknown => {
  const copy = structuredClone(base) as Record<string, unknown>;
  const [last = '', ...parents] = path.split('.').toReversed();
  const owner = parents.reduceRight((node, name) => node[name] as Record<string, unknown>, copy);
  owner[last] = value;
  return copy;
};

describe('the answer to GET key', () => {
  it.each([
    ['as recorded', recordedBundle],
    ['with dates and tags', at('tags', { owner: 'contoso' }, at('attributes.exp', 1_700_000_000) as object)],
    ['with null for what is absent', at('tags', null, at('attributes.nbf', null) as object)],
    ['of an EC key', at('key', { kid, kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', key_ops: ['sign'] })],
    ['with fields of a later version', at('attributes.attestation', { certificatePemFile: 'AA' })],
    ['with the key name in another case', at('key.kid', kid.replace('cmk', 'CMK'))],
  ])('a response to GET key is valid as %s', (_, body) => {
    expect(keyBundleIn(body, 'cmk')).toBeDefined();
  });

  it.each([
    ['nothing', undefined],
    ['a bundle with a key type that is no word', at('key.kty', 'RSA <b>')],
    ['null', null],
    ['text', 'cmk'],
    ['a list', [recordedBundle]],
    ['no attributes', { key: recordedBundle.key }],
    ['a kid without a version', at('key.kid', 'https://contoso.vault.azure.net/keys/cmk')],
    ['another key', at('key.kid', kid.replace('cmk', 'other'))],
    ['a kid that is a number', at('key.kid', 7)],
    ['operations that are text', at('key.key_ops', 'wrapKey')],
    ['operations that are numbers', at('key.key_ops', [1])],
    ['a modulus that is a list', at('key.n', [1, 2])],
    ['a modulus with other characters', at('key.n', 'a b')],
    ['a modulus of 64 KiB', at('key.n', 'A'.repeat(65_536))],
    ['an even modulus', at('key.n', Buffer.alloc(256, 0xfe).toString('base64url'))],
    ['a modulus of zeros', at('key.n', Buffer.alloc(256).toString('base64url'))],
    ['an empty modulus', at('key.n', '')],
    ['an even exponent', at('key.e', 'AQAC')],
    ['the exponent 1', at('key.e', 'AQ')],
    ['an empty exponent', at('key.e', '')],
    ['enabled as text', at('attributes.enabled', 'true')],
    ['an expiry as text', at('attributes.exp', '2026-01-01')],
    ['an expiry beyond what a date can hold', at('attributes.exp', 1e15)],
    ['an expiry that is no whole number', at('attributes.exp', 1.5)],
    ['a negative date', at('attributes.nbf', -1)],
    ['a recovery level that is an object', at('attributes.recoveryLevel', {})],
    ['tags that are text', at('tags', 'contoso')],
    ['a tag that is a number', at('tags', { owner: 7 })],
    ['a tag of 1 MiB', at('tags', { owner: 'x'.repeat(1_048_576) })],
  ])('a response is rejected with %s', (_, body) => {
    expect(keyBundleIn(body, 'cmk')).toBeUndefined();
  });
});

describe('the answer to unwrapKey', () => {
  it('a response to unwrapKey is valid for the requested version only', () => {
    expect(isResultOf(recordedResult, 'cmk', version)).toBe(true);
    expect(isResultOf(recordedResult, 'cmk', version.replace('9', '8'))).toBe(false);
    expect(isResultOf(recordedResult, 'other', version)).toBe(false);
  });

  it.each([
    ['nothing', undefined],
    ['a value that is a number', at('value', 7, recordedResult)],
    ['a value that is no base64url', at('value', '!!', recordedResult)],
    ['a value longer than any RSA key has', at('value', 'A'.repeat(1_025), recordedResult)],
    ['no value', { kid }],
    ['an error', { error: { code: 'KeyNotFound' } }],
  ])('a response is rejected with %s', (_, body) => {
    expect(isResultOf(body, 'cmk', version)).toBe(false);
  });
});

it('every RSA key of 2048 bits that is valid can wrap', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  fc.assert(
    fc.property(bytes(255), fc.uint8Array({ minLength: 1, maxLength: 9 }), (rest, e) => {
      const n = Uint8Array.from([0x80 | (rest[0] ?? 0), ...rest]);
      const text = { n: Buffer.from(n).toString('base64url'), e: Buffer.from(e).toString('base64url') };
      const body = { ...recordedBundle, key: { ...recordedBundle.key, ...text } };
      if (keyBundleIn(body, 'cmk') === undefined) return;
      expect(wrapRsaOaep256({ n: bytesOf(n), e: bytesOf(e) }, bytesOf(new Uint8Array(32)))).toHaveLength(256);
    }),
  );
});

it('any JSON is either a valid or a rejected response, and never an error', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (body) => {
      keyBundleIn(body, 'cmk');
      isResultOf(body, 'cmk', version);
    }),
  );
});
