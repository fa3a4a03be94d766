/** Wrapped data keys: the frozen vectors of another implementation, and random bytes. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { contextHash } from '../../packages/client/src/encryptionContext.ts';
import { base64, bytesOf, hex } from '../../src/core/base/bytes.ts';
import { KeyMaterialMismatch } from '../../src/core/crypto/accountKeyEnvelope.ts';
import {
  dataKeyMaterialIn,
  newDataKeyMaterial,
  parseWrappedDataKey,
  unwrapDataKey,
  wrapDataKey,
} from '../../src/core/crypto/dataKeyEnvelope.ts';
import { contextHashOf, type EncryptionContext } from '../../src/core/dataKeys/encryptionContext.ts';

interface Vector {
  readonly name: string;
  readonly instanceId: string;
  readonly generation: number;
  readonly context: EncryptionContext;
  readonly wrapped: string;
  readonly plain?: string;
  readonly fails?: string;
}

const file = new URL('../vectors/dataKeys.json', import.meta.url);
const recipe = fileURLToPath(new URL('../vectors/makeDataKeyVectors.py', import.meta.url));
const text = readFileSync(file, 'utf8');
const vectors: {
  readonly generations: Record<string, { accountKey: string; outerKey: string }>;
  readonly good: Vector[];
  readonly broken: Vector[];
} = JSON.parse(text);

const bytes = (encoded: string, encoding: 'hex' | 'base64') => bytesOf(Buffer.from(encoded, encoding));

function materialOf(instanceId: string, generation: number) {
  const { accountKey = '', outerKey = '' } = vectors.generations[generation] ?? {};
  return dataKeyMaterialIn(newDataKeyMaterial(bytes(accountKey, 'hex'), instanceId, bytes(outerKey, 'hex')));
}

/** Opens a vector with its account, generation and context. */
function open({ wrapped, context, ...place }: Vector): string {
  const stored = bytes(wrapped, 'base64');
  const material = materialOf(place.instanceId, place.generation);
  return hex(unwrapDataKey(stored, { ...place, contextHash: contextHashOf(context) }, material));
}

describe('the frozen vectors of wrapped data keys, format version 1', () => {
  it.each(vectors.good.map((one) => [one.name, one] as const))('a wrapped data key opens: %s', (_, one) => {
    expect(open(one)).toBe(one.plain);
    expect(parseWrappedDataKey(bytes(one.wrapped, 'base64'))).toEqual({
      instanceId: one.instanceId,
      generation: one.generation,
    });
  });

  it.each(vectors.broken.map((one) => [one.name, one.fails, one] as const))(
    'a wrapped data key does not open: %s (found by: %s)',
    (_, step, one) => {
      expect(() => open(one)).toThrow(KeyMaterialMismatch);
      const parse = () => parseWrappedDataKey(bytes(one.wrapped, 'base64'));
      if (step === 'parse') expect(parse).toThrow(KeyMaterialMismatch);
      else expect(parse).not.toThrow();
    },
  );
});

const python = ['/usr/bin/python3', 'python3'].find((path) => {
  try {
    execFileSync(path, ['-c', 'import cryptography'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

describe.skipIf(python === undefined)('the implementation of wrapped data keys in Python', () => {
  const run = (args: string[], input = '') =>
    execFileSync(python ?? '', [recipe, ...args], { input, encoding: 'utf8' });

  test('the implementation of wrapped data keys in Python makes the same vectors again, byte by byte', () => {
    expect(run([])).toBe(text);
  });

  test('the implementation of wrapped data keys in Python opens what Keyward wraps', () => {
    const [first] = vectors.good;
    if (first === undefined) throw new Error('There are no vectors.');
    const { instanceId, generation } = first;
    const context = { tenant: 'contoso', a: '' };
    const plains = [16, 32].map((length) => new Uint8Array(length).fill(length));
    const wrapped = plains.map((plain) =>
      wrapDataKey(
        plain,
        { instanceId, generation, contextHash: contextHashOf(context) },
        materialOf(instanceId, generation),
        new Uint8Array(24).fill(plain.length),
      ),
    );
    const input = JSON.stringify(wrapped.map((one) => ({ wrapped: base64(one), context })));
    expect(run(['--open'], input).trim().split('\n')).toEqual(plains.map((plain) => hex(plain)));
  });
});

describe('a wrapped data key of any bytes', () => {
  const instanceId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
  const context = { instanceId, generation: 1, contextHash: contextHashOf({ a: 'b' }) };
  const plain = new Uint8Array(32).fill(7);
  const wrapped = wrapDataKey(plain, context, materialOf(instanceId, 1), new Uint8Array(24).fill(1));

  test('a wrapped data key of any bytes opens or fails as KeyMaterialMismatch, and opens only as it was wrapped', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 130 }),
      fc.tuple(fc.nat(wrapped.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
        const edited = Uint8Array.from(wrapped);
        edited[at] = (edited[at] ?? 0) ^ by;
        return edited;
      }),
    );
    fc.assert(
      fc.property(anyBytes, (tampered) => {
        expect(() => unwrapDataKey(tampered, context, materialOf(instanceId, 1))).toThrow(KeyMaterialMismatch);
      }),
    );
    expect(unwrapDataKey(wrapped, context, materialOf(instanceId, 1))).toEqual(plain);
  });

  test('Keyward and the client compute the same context hash, for every context', () => {
    const part = fc.string({ unit: 'grapheme', maxLength: 30 });
    const contexts = fc.dictionary(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), part, { maxKeys: 16 });
    fc.assert(
      fc.property(contexts, (one) => {
        expect(hex(contextHashOf(one))).toBe(contextHash(one).toString('hex'));
      }),
    );
  });
});
