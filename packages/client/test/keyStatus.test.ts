/**
 * Which key statuses the client accepts: none that was edited, forged, replayed, or made for another request or
 * account.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { KeywardClient } from '../src/index.ts';
import { keysIn } from '../src/keyStatus.ts';
import { anyCredential, clientOfDouble, type keywardDouble, type settableClock } from './support.ts';

let clock: ReturnType<typeof settableClock>;
let keyward: ReturnType<typeof keywardDouble>;
let client: KeywardClient;

beforeEach(() => {
  ({ clock, keyward, client } = clientOfDouble(1));
});

const stranger = createPrivateKey(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
const iso = (at: number) => new Date(at).toISOString();

const tamperings: [string, (tampering: ReturnType<typeof keywardDouble>['tampering']) => void][] = [
  ['signed by a stranger', (it) => Object.assign(it, { key: stranger })],
  ['without a signature (alg none)', (it) => Object.assign(it, { header: { alg: 'none' } })],
  ['by another algorithm', (it) => Object.assign(it, { header: { alg: 'HS256' } })],
  ['under a key that is not published', (it) => Object.assign(it, { header: { kid: 'k2' } })],
  ['of another type', (it) => Object.assign(it, { header: { typ: 'JWT' } })],
  ['with critical extensions', (it) => Object.assign(it, { header: { crit: ['b64'] } })],
  [
    'made for another request: replayed',
    (it) => Object.assign(it, { claims: (all: object) => ({ ...all, nonce: 'A'.repeat(22) }) }),
  ],
  ['of another account', (it) => Object.assign(it, { claims: (all: object) => ({ ...all, account: 'fabrikam' }) })],
  [
    'that reaches further than any lease',
    (it) => Object.assign(it, { claims: (all: object) => ({ ...all, notAfter: iso(clock.now() + 900_001) }) }),
  ],
  [
    'that ends before it begins',
    (it) => Object.assign(it, { claims: (all: object) => ({ ...all, notAfter: iso(clock.now() - 1) }) }),
  ],
  [
    'with a time in another form',
    (it) => Object.assign(it, { claims: (all: object) => ({ ...all, notAfter: '28 Nov 2026 13:00 UTC' }) }),
  ],
  [
    'with a generation that is no number',
    (it) => Object.assign(it, { claims: (all: object) => ({ ...all, accountKeyGeneration: '1' }) }),
  ],
  ['that is no object', (it) => Object.assign(it, { claims: () => [1] })],
];

describe('a key status', () => {
  it.each(tamperings)('a key status %s gives no plaintext', async (_, tamper) => {
    const message = await client.encrypt('contoso', Buffer.from('x'));
    client.close();
    tamper(keyward.tampering);
    const expected = { name: 'KeyStatusError', code: 'KeyStatusInvalid' };
    await expect(client.encrypt('contoso', Buffer.from('x'))).rejects.toMatchObject(expected);
    await expect(client.decrypt('contoso', message)).rejects.toMatchObject(expected);
  });

  it('a key status that has ended, or names a cause of refusal, gives no plaintext', async () => {
    keyward.tampering.claims = (all) => ({ ...all, cause: 'KeyDisabled' });
    await expect(client.encrypt('contoso', Buffer.from('x'))).rejects.toMatchObject({ code: 'KeyStatusOver' });
    keyward.tampering.claims = (all) => ({ ...all, notAfter: all.issuedAt });
    await expect(client.encrypt('contoso', Buffer.from('x'))).rejects.toMatchObject({ code: 'KeyStatusOver' });
  });

  it('a key status of a key with an invented id costs one request for the public keys in five seconds', async () => {
    let reads = 0;
    const counting: typeof fetch = (input, init) => {
      if (String(input).endsWith('/jwks')) reads += 1;
      return keyward.fetch(input, init);
    };
    client = new KeywardClient('https://keyward.example', anyCredential, {
      fetch: counting,
      clock,
      deadlineSeconds: 1,
    });
    keyward.tampering.header = { kid: 'invented' };
    for (let n = 0; n < 5; n++) await client.encrypt('contoso', Buffer.from('x')).catch(() => undefined);
    expect(reads).toBe(1);
    clock.pass(5_000);
    await client.encrypt('contoso', Buffer.from('x')).catch(() => undefined);
    expect(reads).toBe(2);
  });
});

describe('the published keys', () => {
  const good = { ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid: 'k1' };
  it('the published Ed25519 keys are accepted, and everything else in the set is left out', () => {
    const rsa = {
      ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }),
      kid: 'r',
    };
    const hostile = [
      null,
      7,
      'x',
      {},
      rsa,
      { ...good, kid: 3 },
      { ...good, kid: 's', x: 'short' },
      { ...good, kid: 'c', crv: 'X25519' },
    ];
    expect([...keysIn({ keys: [...hostile, good, { ...good, x: 'A'.repeat(43) }] }).keys()]).toEqual(['k1']);
  });

  it.each([
    ['nothing', undefined],
    ['text', 'keys'],
    ['no list', { keys: {} }],
    ['too many', { keys: Array(21).fill(good) }],
  ])('the published keys are refused when the set is %s', (_, jwks) => {
    expect(() => keysIn(jwks)).toThrow(expect.objectContaining({ code: 'KeyStatusInvalid' }));
  });
});
