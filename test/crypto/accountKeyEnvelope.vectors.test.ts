/**
 * Vectors of another implementation: everything once written stays readable, and broken data fails at the named step.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesOf } from '../../src/core/base/bytes.ts';
import {
  atRestGeneration,
  type Inner,
  type Kek,
  KeyMaterialMismatch,
  openAtRest,
  openBySystemRing,
  openPayload,
} from '../../src/core/crypto/accountKeyEnvelope.ts';
import { decrypted, fixtureKey } from '../rsaFixtures.ts';

interface Vector {
  name: string;
  instanceId: string;
  account: string;
  generation: number;
  wrappedBy: string;
  rsaKey?: number;
  stored: string;
  accountKey?: string;
  fails?: string;
  error?: string;
}

interface Vectors {
  atRestRing: Record<string, string>;
  systemRing: Record<string, string>;
  good: Vector[];
  broken: Vector[];
}

const vectors: Vectors = JSON.parse(readFileSync(new URL('../vectors/accountKey.json', import.meta.url), 'utf8'));

function kekOf(ring: Record<string, string>, generation: number): Kek {
  const key = ring[generation];
  if (key === undefined) throw new Error(`The vectors have no ring generation ${generation}.`);
  return { generation, key: bytesOf(Buffer.from(key, 'hex')) };
}

/** Opens a vector as the service would, and returns the step that it has reached. */
function open(vector: Vector): { step: string; error?: unknown; accountKey?: string } {
  const stored = bytesOf(Buffer.from(vector.stored, 'base64'));
  const { instanceId, account, generation: ofKey } = vector;
  const context = { instanceId, account, generation: ofKey };
  let step = 'atRestGeneration';
  try {
    const generation = atRestGeneration(stored);
    step = 'openAtRest';
    const inner: Inner = openAtRest(stored, context, vector.wrappedBy, kekOf(vectors.atRestRing, generation));
    step = inner.by === 'SystemKey' ? 'openBySystemRing' : 'unwrap';
    const payload =
      inner.by === 'SystemKey'
        ? openBySystemRing(inner, context, kekOf(vectors.systemRing, inner.ringGeneration))
        : decrypted(fixtureKey(vector.rsaKey ?? 0), inner.wrapped);
    step = 'openPayload';
    return { step: 'done', accountKey: Buffer.from(openPayload(payload, context)).toString('hex') };
  } catch (error) {
    return { step, error };
  }
}

describe('the frozen vectors of format version 1', () => {
  it.each(vectors.good.map((vector) => [vector.name, vector] as const))(
    'the frozen vector of a wrapped account key opens: %s',
    (_, vector) => {
      expect(open(vector)).toEqual({ step: 'done', accountKey: vector.accountKey });
    },
  );

  it.each(vectors.broken.map((vector) => [vector.name, vector.fails, vector] as const))(
    'the frozen vector of a wrapped account key does not open: %s fails in %s with KeyMaterialMismatch',
    (_, step, vector) => {
      const failed = open(vector);
      expect(failed.step).toBe(step);
      expect(failed.error).toBeInstanceOf(KeyMaterialMismatch);
      expect((failed.error as Error).name).toBe(vector.error);
    },
  );
});
