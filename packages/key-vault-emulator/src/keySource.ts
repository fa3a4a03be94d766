/**
 * The source of new private keys. Generating a key takes from 50 ms (2048 bits) to over a second (4096), so tests
 * pass a file of generated keys. Each is used once; after the last, the source generates keys.
 */
import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { generateEc, generateRsa } from './crypto.ts';

export type KeySource = {
  rsa(size: number): Promise<KeyObject>;
  ec(curve: string): Promise<KeyObject>;
  /** The n-th key of that size in the file, any number of times; undefined when there is none. */
  fixture(size: number, index: number): KeyObject | undefined;
};

const poolSchema = z.object({
  keys: z.array(z.object({ size: z.number(), jwk: z.record(z.string(), z.unknown()) })),
});

export async function openKeySource(path?: string): Promise<KeySource> {
  const pool = path === undefined ? [] : poolSchema.parse(JSON.parse(await readFile(path, 'utf8'))).keys;
  const ready = Map.groupBy(pool, (entry) => entry.size);
  const used = new Map<number, number>();

  const fixture = (size: number, index: number) => {
    const jwk = ready.get(size)?.[index]?.jwk;
    return jwk === undefined ? undefined : createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' });
  };
  return {
    fixture,
    async rsa(size) {
      const next = used.get(size) ?? 0;
      const key = fixture(size, next);
      if (key === undefined) return generateRsa(size);
      used.set(size, next + 1);
      return key;
    },
    ec: generateEc,
  };
}
