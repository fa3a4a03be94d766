import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, bytesOf } from '../../src/core/base/bytes.ts';
import {
  accountKeyPayload,
  atRestGeneration,
  formatInner,
  type Inner,
  type Kek,
  type KeyContext,
  KeyMaterialMismatch,
  openAtRest,
  openBySystemRing,
  openPayload,
  parseInner,
  sealAtRest,
  sealBySystemRing,
} from '../../src/core/crypto/accountKeyEnvelope.ts';
import { anyText } from '../anyText.ts';

const cmk = 'https://contoso.vault.azure.net/keys/cmk/ee059b2bb5bc48398a53b168c6cdcb10';
const context: KeyContext = {
  instanceId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  account: 'contoso',
  generation: 258,
};
const atRestKek: Kek = { generation: 3, key: new Uint8Array(32).fill(0x33) };
const systemKek: Kek = { generation: 7, key: new Uint8Array(32).fill(0x77) };
const accountKey: Bytes = Uint8Array.from({ length: 32 }, (_, i) => i);
const nonce: Bytes = new Uint8Array(12).fill(0xaa);
const otherNonce: Bytes = new Uint8Array(12).fill(0xbb);

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function systemInner(at = context, kek = systemKek): Inner & { by: 'SystemKey' } {
  const inner = sealBySystemRing(accountKeyPayload(at, accountKey), at, kek, nonce);
  if (inner.by !== 'SystemKey') throw new Error('sealed by something else');
  return inner;
}

/** The keys of a process: opens a stored blob to the account key, or throws. */
function open(stored: Bytes, at: KeyContext, wrappedBy = 'SystemKey'): Bytes {
  const ring = (newest: Kek, generation: number) => ({ ...newest, generation });
  const inner = openAtRest(stored, at, wrappedBy, ring(atRestKek, atRestGeneration(stored)));
  if (inner.by !== 'SystemKey') throw new Error('wrapped by a customer key');
  return openPayload(openBySystemRing(inner, at, ring(systemKek, inner.ringGeneration)), at);
}

describe('the bytes of a wrapped account key', () => {
  const guid = Buffer.from('3f2504e04f8941d39a0c0305e82c3301', 'hex');
  const payload = Buffer.concat([Buffer.of(1), guid, Buffer.of(0, 0, 1, 2), accountKey]);
  const prefixed = (...parts: Buffer[]) =>
    Buffer.concat(parts.flatMap((part) => [Buffer.from([0, 0, part.length >> 8, part.length & 255]), part]));
  const text = (words: string) => Buffer.from(words, 'utf8');

  function sealed(
    cipher: 'aes-256-gcm' | 'chacha20-poly1305',
    kek: Kek,
    info: string,
    iv: Bytes,
    aad: Buffer,
    plain: Buffer,
  ) {
    const key = Buffer.from(hkdfSync('sha256', kek.key, guid, text(info), 32));
    const sealing = createCipheriv(cipher as 'chacha20-poly1305', key, iv, { authTagLength: 16 });
    sealing.setAAD(aad, { plaintextLength: plain.length });
    return Buffer.concat([iv, sealing.update(plain), sealing.final(), sealing.getAuthTag()]);
  }

  const systemAad = prefixed(
    text('keyward/system/2'),
    guid,
    text('contoso'),
    Buffer.of(0, 0, 1, 2),
    Buffer.of(0, 0, 0, 7),
  );
  const system = Buffer.concat([
    Buffer.of(2, 0, 0, 0, 7),
    sealed('aes-256-gcm', systemKek, 'keyward/system/account-key/1', nonce, systemAad, payload),
  ]);

  it('the bytes of a wrap payload: 01, account GUID, account key generation, account key', () => {
    expect(hexOf(accountKeyPayload(context, accountKey))).toBe(payload.toString('hex'));
    expect(payload.length).toBe(53);
  });

  it('the bytes under the system ring: 02, ring generation, nonce, AES-256-GCM ciphertext, tag', () => {
    expect(hexOf(formatInner(systemInner()))).toBe(system.toString('hex'));
    expect(system.length).toBe(86);
  });

  it('the bytes under a customer key: 01, RSA ciphertext', () => {
    const wrapped = bytesOf(randomBytes(256));
    expect(hexOf(formatInner({ by: 'CustomerKey', wrapped }))).toBe(`01${hexOf(wrapped)}`);
  });

  it('the bytes at rest: 02, 01, ring generation, nonce, ChaCha20-Poly1305 ciphertext, tag', () => {
    const header = Buffer.of(2, 1, 0, 0, 0, 3);
    const aad = prefixed(text('keyward/at-rest/2'), header, guid, text('contoso'), Buffer.of(0, 0, 1, 2), text(cmk));
    const body = sealed('chacha20-poly1305', atRestKek, 'keyward/at-rest/account-key/1', otherNonce, aad, system);
    const stored = sealAtRest(systemInner(), context, cmk, atRestKek, otherNonce);
    expect(hexOf(stored)).toBe(Buffer.concat([header, body]).toString('hex'));
  });
});

describe('a wrapped account key', () => {
  const stored = sealAtRest(systemInner(), context, 'SystemKey', atRestKek, otherNonce);

  it('a wrapped account key opens to what was sealed, for any context, ring generation and key', () => {
    const uint32 = fc.integer({ min: 0, max: 0xffffffff });
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map(bytesOf);
    const places = fc.record({ instanceId: fc.uuid(), account: fc.string(), generation: uint32 });
    const keks = fc.record({ generation: uint32, key: bytes(32) });
    const wrappedBy = anyText(300);
    fc.assert(
      fc.property(places, keks, keks, bytes(32), bytes(12), wrappedBy, (at, ring, system, key, iv, by) => {
        const inner = sealBySystemRing(accountKeyPayload(at, key), at, system, iv);
        const opened = openAtRest(sealAtRest(inner, at, by, ring, iv), at, by, ring);
        expect(opened).toEqual(inner);
        if (opened.by === 'SystemKey') expect(openPayload(openBySystemRing(opened, at, system), at)).toEqual(key);
      }),
    );
  });

  it.each([256, 384, 512])(
    'a wrapped account key of a customer key opens to its RSA ciphertext of %i bytes',
    (length) => {
      const inner: Inner = { by: 'CustomerKey', wrapped: bytesOf(randomBytes(length)) };
      expect(openAtRest(sealAtRest(inner, context, cmk, atRestKek, nonce), context, cmk, atRestKek)).toEqual(inner);
    },
  );

  it('opening a wrapped account key does not change the KEKs', () => {
    expect(open(stored, context)).toEqual(accountKey);
    expect([new Set(atRestKek.key), new Set(systemKek.key)]).toEqual([new Set([0x33]), new Set([0x77])]);
  });

  it('a wrapped account key never opens with any bit of any byte edited', () => {
    expect(stored.byteLength).toBe(120);
    for (let at = 0; at < stored.byteLength * 8; at++) {
      const edited = bytesOf(stored);
      edited[at >> 3] = (edited[at >> 3] ?? 0) ^ (1 << (at & 7));
      expect(() => open(edited, context), `bit ${at}`).toThrow(KeyMaterialMismatch);
    }
  });

  it('a wrapped account key never opens when a holder of the at-rest key has edited its system layer', () => {
    const inner = formatInner(systemInner());
    for (let at = 0; at < inner.byteLength; at++) {
      const edited = bytesOf(inner);
      edited[at] = (edited[at] ?? 0) ^ 0x80;
      expect(() => {
        const parsed = parseInner(edited);
        if (parsed.by === 'SystemKey')
          openBySystemRing(parsed, context, { ...systemKek, generation: parsed.ringGeneration });
      }, `byte ${at}`).toThrow(KeyMaterialMismatch);
    }
  });

  it('a wrapped account key never opens truncated at any length, or with any bytes after it', () => {
    for (let length = 0; length < stored.byteLength; length++)
      expect(() => open(bytesOf(stored.subarray(0, length)), context), `${length}`).toThrow(KeyMaterialMismatch);
    for (const more of [1, 16, 1000])
      expect(() => open(bytesOf(Buffer.concat([stored, Buffer.alloc(more)])), context)).toThrow(KeyMaterialMismatch);
  });

  it.each<[string, KeyContext, string]>([
    ['another account', { ...context, instanceId: '3f2504e0-4f89-41d3-9a0c-0305e82c3302' }, 'SystemKey'],
    ['another generation', { ...context, generation: 259 }, 'SystemKey'],
    ['another current key identifier', context, cmk],
    ['a key identifier that differs in its last digit', context, `${cmk.slice(0, -1)}1`],
    ['no key at all', context, ''],
  ])('a wrapped account key never opens for %s', (_, at, wrappedBy) => {
    expect(() => open(stored, at, wrappedBy)).toThrow(KeyMaterialMismatch);
  });

  it('a wrapped account key never opens under another KEK of the same generation, or under that of the other layer', () => {
    for (const key of [new Uint8Array(32), systemKek.key])
      expect(() => openAtRest(stored, context, 'SystemKey', { ...atRestKek, key })).toThrow(KeyMaterialMismatch);
    expect(() => openBySystemRing(systemInner(), context, { ...systemKek, generation: 8 })).toThrow(
      KeyMaterialMismatch,
    );
  });
});

describe('the payload', () => {
  const payload = accountKeyPayload(context, accountKey);

  it.each<[string, Bytes, KeyContext]>([
    ['of another account', payload, { ...context, instanceId: '3f2504e0-4f89-41d3-9a0c-0305e82c3302' }],
    ['of another generation', payload, { ...context, generation: 1 }],
    ['of another format', bytesOf(Buffer.concat([Buffer.of(2), payload.subarray(1)])), context],
    ['that is too short', bytesOf(payload.subarray(0, 52)), context],
    ['that is too long', bytesOf(Buffer.concat([payload, Buffer.of(0)])), context],
    ['that is the bare key', accountKey, context],
    ['that is empty', new Uint8Array(0), context],
  ])('the payload %s is KeyMaterialMismatch', (_, bytes, at) => {
    expect(() => openPayload(bytes, at)).toThrow(KeyMaterialMismatch);
  });

  it('the payload returns the key in a buffer of its own, so that wiping one does not change the other', () => {
    const copy = bytesOf(payload);
    const key = openPayload(copy, context);
    copy.fill(0);
    expect(key).toEqual(accountKey);
  });
});

describe('any bytes at all', () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.uint8Array({ minLength: 28, maxLength: 600 }).map((tail) => Buffer.concat([Buffer.of(1, 1, 0, 0, 0, 3), tail])),
  );
  /** Mostly of valid lengths. */
  const anyInner = fc
    .tuple(fc.constantFrom(0, 1, 2, 3, 255), fc.constantFrom(0, 84, 85, 86, 255, 256, 384, 512, 513))
    .chain(([kind, length]) =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((tail) => Buffer.concat([Buffer.of(kind), tail])),
    );

  it('random bytes never open, and fail as KeyMaterialMismatch only', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(() => openAtRest(bytesOf(bytes), context, 'SystemKey', atRestKek)).toThrow(KeyMaterialMismatch);
      }),
      { numRuns: 500 },
    );
  });

  it('random bytes have a generation between 0 and 2^32 - 1, or fail as KeyMaterialMismatch only', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const known = bytes[0] === 2 && bytes[1] === 1 && bytes.length >= 34 && bytes.length <= 547;
        if (known) expect(atRestGeneration(bytesOf(bytes))).toBe(Buffer.from(bytes).readUInt32BE(2));
        else expect(() => atRestGeneration(bytesOf(bytes))).toThrow(KeyMaterialMismatch);
      }),
      { numRuns: 500 },
    );
  });

  it('random bytes are an inner layer exactly when they have one of its lengths, and are written back unchanged', () => {
    fc.assert(
      fc.property(anyInner, (bytes) => {
        const known =
          (bytes[0] === 1 && [257, 385, 513].includes(bytes.length)) || (bytes[0] === 2 && bytes.length === 86);
        if (known) expect(hexOf(formatInner(parseInner(bytesOf(bytes))))).toBe(hexOf(bytes));
        else expect(() => parseInner(bytesOf(bytes))).toThrow(KeyMaterialMismatch);
      }),
      { numRuns: 500 },
    );
  });
});
