import {
  constants,
  createHash,
  createPublicKey,
  type JsonWebKey,
  publicEncrypt,
  randomBytes,
  verify,
} from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openStage, SERVICE, type Stage } from './helpers.ts';

let stage: Stage;
let vault: string;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  vault = (await stage.vault()).name;
});

const path = (kid: string, operation: string) => `${new URL(kid).pathname}/${operation}`;

async function wrapLocally(kid: string, value: Buffer, oaepHash: string): Promise<string> {
  const { json } = await stage.call(vault, 'GET', new URL(kid).pathname);
  const key = createPublicKey({ key: json.key as JsonWebKey, format: 'jwk' });
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, value).toString('base64url');
}

describe('wrapping', () => {
  it.each([
    ['RSA-OAEP-256', 2048, 'sha256'],
    ['RSA-OAEP-256', 3072, 'sha256'],
    ['RSA-OAEP-256', 4096, 'sha256'],
    ['RSA-OAEP', 2048, 'sha1'],
  ])('%s with %i bits unwraps a value that was wrapped locally with the public key', async (alg, size, hash) => {
    const kid = await stage.key(vault, 'cmk', { size });
    const secret = randomBytes(61);
    const value = await wrapLocally(kid, secret, hash);
    const answer = await stage.call(vault, 'POST', path(kid, 'unwrapkey'), { alg, value });
    expect(answer.json).toEqual({ kid, value: secret.toString('base64url') });
  });

  it.each(['RSA-OAEP-256', 'RSA-OAEP', 'RSA1_5'] as const)('the SDK wraps and unwraps with %s', async (alg) => {
    const client = stage.cryptography(await stage.key(vault, 'cmk'));
    const secret = randomBytes(32);
    const { result } = await client.wrapKey(alg, secret);
    expect(result).toHaveLength(256);
    expect(Buffer.from((await client.unwrapKey(alg, result)).result)).toEqual(secret);
  });

  it('the answer to a request without a version names the version that was used', async () => {
    await stage.key(vault, 'cmk');
    const latest = await stage.key(vault, 'cmk', { fixture: 1 });
    const value = await wrapLocally(latest, Buffer.from('x'), 'sha256');
    for (const form of [
      '/keys/cmk//unwrapkey',
      '/keys/cmk/unwrapkey',
      '/KEYS/cmk//unwrapKey/',
      '//keys/cmk/UnwrapKey',
    ]) {
      const answer = await stage.call(vault, 'POST', `${form}?api%2Dversion=7.4`, { alg: 'RSA-OAEP-256', value });
      expect([form, answer.json]).toEqual([form, { kid: latest, value: 'eA' }]);
    }
  });

  it('a value that this key version did not wrap is refused with 400 and the message that the vault is set to', async () => {
    const first = await stage.key(vault, 'cmk');
    const second = await stage.key(vault, 'cmk', { fixture: 1 });
    const value = await wrapLocally(first, Buffer.from('x'), 'sha256');
    const body = { alg: 'RSA-OAEP-256', value };
    const today = await stage.call(vault, 'POST', path(second, 'unwrapkey'), body);
    expect(today.status).toBe(400);
    expect(today.json).toEqual({
      error: { code: 'BadParameter', message: 'Unable to decrypt specified value with this key' },
    });
    await stage.control('PATCH', `/vaults/${vault}`, { answers: { undecryptable: 'oaep' } });
    const before = await stage.call(vault, 'POST', path(second, 'unwrapkey'), body);
    expect(before.json.error.message).toBe('Error occurred while decoding OAEP padding.');
  });

  it.each([
    [
      { alg: 'RSA-OAEP-256', value: 'not base64url!' },
      "Content of 'value' is not base64url.\r\nProperty 'value' is required.\r\n",
    ],
    [{ alg: 'RSA-OAEP-256' }, "Content of 'value' is not base64url.\r\nProperty 'value' is required.\r\n"],
    [{ alg: 'ROT13', value: 'AAAA' }, 'Property has invalid value\r\n'],
    [{ value: 'AAAA' }, 'Property has invalid value\r\n'],
    ['{"alg":', 'Property has invalid value\r\n'],
  ])('wrapkey with the body %j is refused with 400', async (body, message) => {
    const kid = await stage.key(vault, 'cmk');
    const answer = await stage.call(vault, 'POST', path(kid, 'unwrapkey'), body);
    expect([answer.status, answer.json.error]).toEqual([400, { code: 'BadParameter', message }]);
  });

  it('a value that is too long for the key is refused', async () => {
    const kid = await stage.key(vault, 'cmk');
    const value = randomBytes(200).toString('base64url');
    expect((await stage.call(vault, 'POST', path(kid, 'wrapkey'), { alg: 'RSA-OAEP-256', value })).status).toBe(400);
  });
});

describe('signing', () => {
  const grant = (permissions: readonly string[]) =>
    stage.control('PUT', `/vaults/${vault}/grants/${SERVICE}`, { permissions });
  beforeEach(() => grant(['get', 'sign']));

  it.each(['RS256', 'RS384', 'RS512'] as const)(
    'a signature that the SDK requests with %s fits the public key',
    async (alg) => {
      const kid = await stage.key(vault, 'cmk');
      const hash = alg.replace('RS', 'sha');
      const data = Buffer.from('a text to sign');
      const { result } = await stage.cryptography(kid).signData(alg, data);
      const { json } = await stage.call(vault, 'GET', new URL(kid).pathname);
      const key = createPublicKey({ key: json.key as JsonWebKey, format: 'jwk' });
      expect(verify(hash, data, key, result)).toBe(true);
      expect(verify(hash, Buffer.from('another text'), key, result)).toBe(false);
    },
  );

  it.each([
    [{ alg: 'RS256', value: 'AAAA' }, 400],
    [{ alg: 'RSA-OAEP-256', value: 'AAAA' }, 501],
    [{ alg: 'PS256', value: 'AAAA' }, 501],
    [{ value: 'AAAA' }, 400],
  ])('sign with the body %j is refused with %i', async (body, status) => {
    const kid = await stage.key(vault, 'cmk');
    expect((await stage.call(vault, 'POST', path(kid, 'sign'), body)).status).toBe(status);
  });

  it('a caller whose grant has no sign, and a key whose operations have none, get no signature', async () => {
    const body = { alg: 'RS256', value: createHash('sha256').update('x').digest('base64url') };
    const wrapping = await stage.key(vault, 'wrapping', { keyOps: ['wrapKey'] });
    expect((await stage.call(vault, 'POST', path(wrapping, 'sign'), body)).json.error.innererror.code).toBe(
      'KeyOperationForbidden',
    );
    const kid = await stage.key(vault, 'cmk');
    await grant(['get', 'wrapKey']);
    expect((await stage.call(vault, 'POST', path(kid, 'sign'), body)).status).toBe(403);
  });
});

describe('what a key may be used for', () => {
  const wrapped = async (kid: string) => ({
    alg: 'RSA-OAEP-256',
    value: await wrapLocally(kid, createHash('sha256').update('key').digest(), 'sha256'),
  });
  const outcome = async (kid: string, operation: string, body: unknown) => {
    const { status, json } = await stage.call(vault, 'POST', path(kid, operation), body);
    return [status, json.error?.innererror?.code, json.error?.message];
  };

  it('a disabled key can be read but not used', async () => {
    const kid = await stage.key(vault, 'cmk');
    const body = await wrapped(kid);
    await stage.control('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: false });
    const shown = await stage.call(vault, 'GET', '/keys/cmk');
    expect([shown.status, shown.json.attributes.enabled]).toEqual([200, false]);
    const message = 'Operation unwrapKey is not allowed on a disabled key.';
    expect(await outcome(kid, 'unwrapkey', body)).toEqual([403, 'KeyDisabled', message]);
    expect((await outcome(kid, 'wrapkey', body)).slice(0, 2)).toEqual([403, 'KeyDisabled']);
    await stage.control('PATCH', `/vaults/${vault}`, { answers: { wrapOnDisabled: 'allowed' } });
    expect((await outcome(kid, 'wrapkey', { ...body, value: 'AAAA' }))[0]).toBe(200);
    expect((await outcome(kid, 'unwrapkey', body))[0]).toBe(403);
    await stage.control('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: true });
    expect((await outcome(kid, 'unwrapkey', body))[0]).toBe(200);
  });

  it('disabling one version leaves the other versions enabled', async () => {
    const first = await stage.key(vault, 'cmk');
    const second = await stage.key(vault, 'cmk', { fixture: 1 });
    const [old, latest] = [await wrapped(first), await wrapped(second)];
    await stage.control('PATCH', `/vaults/${vault}/keys/cmk/${first.split('/').at(-1)}`, { enabled: false });
    expect((await outcome(first, 'unwrapkey', old))[1]).toBe('KeyDisabled');
    expect((await outcome(second, 'unwrapkey', latest))[0]).toBe(200);
  });

  it('an expired key unwraps but does not wrap', async () => {
    const kid = await stage.key(vault, 'cmk', { exp: '2020-01-01T00:00:00Z' });
    const body = await wrapped(kid);
    expect((await outcome(kid, 'unwrapkey', body))[0]).toBe(200);
    expect((await outcome(kid, 'wrapkey', body)).slice(0, 2)).toEqual([403, 'KeyExpired']);
    await stage.control('PATCH', `/vaults/${vault}`, { answers: { expiredInnerCode: null } });
    expect((await outcome(kid, 'wrapkey', body)).slice(0, 2)).toEqual([403, undefined]);
  });

  it('a key that is not yet valid unwraps but does not wrap', async () => {
    const kid = await stage.key(vault, 'cmk', { nbf: '2099-01-01T00:00:00Z' });
    const body = await wrapped(kid);
    expect((await outcome(kid, 'unwrapkey', body))[0]).toBe(200);
    expect((await outcome(kid, 'wrapkey', body)).slice(0, 2)).toEqual([403, 'KeyNotYetValid']);
  });

  it('an operation that is not in key_ops is refused', async () => {
    const kid = await stage.key(vault, 'cmk', { keyOps: ['wrapKey'] });
    const message = 'Operation unwrapKey is not permitted on this key.';
    expect(await outcome(kid, 'unwrapkey', await wrapped(kid))).toEqual([403, 'KeyOperationForbidden', message]);
    expect((await outcome(kid, 'wrapkey', { alg: 'RSA-OAEP-256', value: 'AAAA' }))[0]).toBe(200);
  });

  it('an EC key does not wrap', async () => {
    const kid = await stage.key(vault, 'ec', { kty: 'EC', curve: 'P-256' });
    const body = { alg: 'RSA-OAEP-256', value: 'AAAA' };
    expect((await outcome(kid, 'wrapkey', body)).slice(0, 2)).toEqual([403, 'KeyOperationForbidden']);
  });

  it('a missing permission is reported before a disabled key, and a disabled key before its validity period and key_ops', async () => {
    const kid = await stage.key(vault, 'cmk', { enabled: false, exp: 1, keyOps: ['sign'] });
    const body = { alg: 'nonsense', value: '!' };
    expect((await outcome(kid, 'wrapkey', body))[1]).toBe('KeyDisabled');
    await stage.control('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: true });
    expect((await outcome(kid, 'wrapkey', body))[1]).toBe('KeyExpired');
    await stage.control('PATCH', `/vaults/${vault}/keys/cmk`, { exp: null });
    expect((await outcome(kid, 'wrapkey', body))[1]).toBe('KeyOperationForbidden');
    await stage.control('PATCH', `/vaults/${vault}/keys/cmk`, { keyOps: ['wrapKey'] });
    expect((await outcome(kid, 'wrapkey', body))[0]).toBe(400);
    await stage.control('DELETE', `/vaults/${vault}/grants/${SERVICE}`);
    expect((await outcome(kid, 'wrapkey', body))[1]).toBe('ForbiddenByRbac');
  });
});
