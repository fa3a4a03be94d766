/**
 * Vectors of another implementation: everything once written stays readable, and broken data fails at the named step.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { type Bytes, base64, bytesOf, hex } from '../../src/core/base/bytes.ts';
import { type Kek, KeyMaterialMismatch } from '../../src/core/crypto/accountKeyEnvelope.ts';
import {
  innerSubkey,
  maxSecretLength,
  openSecret,
  outerSubkey,
  parseSecret,
  rewrapOuterLayer,
  type SealedKind,
  sealSecret,
} from '../../src/core/crypto/secretEnvelope.ts';

interface Vector {
  readonly name: string;
  readonly instanceId: string;
  readonly account: string;
  readonly kind: SealedKind;
  readonly secret: string;
  readonly generation: number;
  readonly stored: string;
  readonly plain?: string;
  readonly fails?: string;
  readonly error?: string;
}

const file = new URL('../vectors/secrets.json', import.meta.url);
const recipe = fileURLToPath(new URL('../vectors/makeSecretVectors.py', import.meta.url));
const vectors: {
  readonly atRestRing: Record<string, string>;
  readonly accountKeys: Record<string, string>;
  readonly good: Vector[];
  readonly broken: Vector[];
} = JSON.parse(readFileSync(file, 'utf8'));

function keyOf(keys: Record<string, string>, generation: number): Bytes {
  const key = keys[generation];
  if (key === undefined) throw new Error(`The vectors have no key of generation ${generation}.`);
  return bytesOf(Buffer.from(key, 'hex'));
}
const kekOf = (generation: number): Kek => ({ generation, key: keyOf(vectors.atRestRing, generation) });
const storedOf = ({ stored }: Vector): Bytes => bytesOf(Buffer.from(stored, 'base64'));
const placeOf = ({ instanceId, account, kind, secret: name, generation }: Vector) => ({
  instanceId,
  account,
  kind,
  name,
  generation,
});

/** Opens a vector as the service would, in the context of the read, and returns the step that it has reached. */
function open(vector: Vector): { step: string; error?: unknown; plain?: string } {
  const context = placeOf(vector);
  const accountKey = keyOf(vectors.accountKeys, vector.generation);
  let step = 'parseSecret';
  try {
    const { ringGeneration } = parseSecret(storedOf(vector));
    const outer = outerSubkey(kekOf(ringGeneration), vector.instanceId);
    step = 'outer';
    // The outer layer alone under another KEK, which opens this layer and not its content.
    rewrapOuterLayer(storedOf(vector), context, outer, { subkey: outer, ring: kekOf(2), nonce: new Uint8Array(12) });
    step = 'inner';
    const inner = innerSubkey(accountKey, vector.instanceId, vector.kind);
    const plain = hex(openSecret(storedOf(vector), context, { inner, outer }));
    return { step: 'done', plain };
  } catch (error) {
    return { step, error };
  }
}

describe('the frozen vectors of protected secrets, format version 1', () => {
  it.each(vectors.good.map((vector) => [vector.name, vector] as const))(
    'the frozen vector of a secret opens: %s',
    (_, vector) => {
      expect(open(vector)).toEqual({ step: 'done', plain: vector.plain });
    },
  );

  it.each(vectors.broken.map((vector) => [vector.name, vector.fails, vector] as const))(
    'the frozen vector of a secret does not open: %s fails in %s with KeyMaterialMismatch',
    (_, step, vector) => {
      const failed = open(vector);
      expect(failed.step).toBe(step);
      expect(failed.error).toBeInstanceOf(KeyMaterialMismatch);
      expect((failed.error as Error).name).toBe(vector.error);
    },
  );

  it('the frozen vectors of secrets have every failure that the format promises', () => {
    const names = vectors.broken.map(({ name }) => name).join('\n');
    for (const what of [
      'truncated',
      'tag flipped',
      'wrong account',
      'wrong account name',
      'wrong kind',
      'wrong generation',
      'unknown version',
      'oversized',
    ])
      expect(names).toContain(what);
  });
});

const python = ['/usr/bin/python3', 'python3'].find((path) => {
  try {
    execFileSync(path, ['-c', 'import cryptography'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

test('a secret that is longer than a reveal can open is not sealed', () => {
  const [first] = vectors.good;
  if (first === undefined) throw new Error('no vectors');
  const context = placeOf(first);
  const keys = { inner: new Uint8Array(32), outer: new Uint8Array(32) };
  const seal = (length: number) => sealSecret(new Uint8Array(length), context, keys, kekOf(3), new Uint8Array(24));
  expect(openSecret(seal(20_480), context, keys)).toHaveLength(20_480);
  expect(() => seal(20_481)).toThrow(RangeError);
});

describe.skipIf(python === undefined)('the second implementation', () => {
  const run = (args: string[], input = '') =>
    execFileSync(python ?? '', [recipe, ...args], { input, encoding: 'utf8' });

  test('the second implementation of secrets makes the same vectors again, byte by byte', () => {
    expect(run([])).toBe(readFileSync(file, 'utf8'));
  });

  test('the second implementation of secrets opens what Keyward seals', () => {
    const plains = [0, 1, 16, 32, 1024, maxSecretLength].map((length) => new Uint8Array(length).fill(length % 251));
    const [first] = vectors.good;
    if (first === undefined) throw new Error('no vectors');
    const context = placeOf(first);
    const ring = kekOf(3);
    const keys = {
      inner: innerSubkey(keyOf(vectors.accountKeys, context.generation), context.instanceId, context.kind),
      outer: outerSubkey(ring, context.instanceId),
    };
    const sealed = plains.map((plain) =>
      sealSecret(plain, context, keys, ring, new Uint8Array(24).fill(plain.byteLength % 7)),
    );
    const asked = sealed.map((bytes) => ({ ...context, secret: context.name, stored: base64(bytes) }));
    expect(run(['--open'], JSON.stringify(asked)).trimEnd().split('\n')).toEqual(plains.map(hex));
  });
});
