/** Vectors of authentic rows, made by another implementation: good ones are read, and a change of any part is found. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { authenticValue, damaged, type Entity, entityOf, rowOf } from '../../src/azure/rowForm.ts';
import { bytesOf } from '../../src/core/base/bytes.ts';
import { type Kek, KeyMaterialMismatch } from '../../src/core/crypto/accountKeyEnvelope.ts';

interface Vector {
  readonly name: string;
  readonly table: string;
  readonly entity: Entity;
  readonly value?: unknown;
}

const python = ['/usr/bin/python3', 'python3'].find((path) => {
  try {
    execFileSync(path, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const recipe = fileURLToPath(new URL('../vectors/makeRowVectors.py', import.meta.url));
const text = readFileSync(new URL('../vectors/rows.json', import.meta.url), 'utf8');
const vectors: { atRestRing: Record<string, string>; good: Vector[]; broken: Vector[] } = JSON.parse(text);
const keks = new Map<number, Kek>(
  Object.entries(vectors.atRestRing).map(([generation, key]) => [
    Number(generation),
    { generation: Number(generation), key: bytesOf(Buffer.from(key, 'hex')) },
  ]),
);
function kek(generation: number): Kek {
  const found = keks.get(generation);
  if (found === undefined) throw new KeyMaterialMismatch('There is no such generation.');
  return found;
}
const atRest = { kek, newest: kek(3) };
const open = ({ table, entity }: Vector) => {
  const { partitionKey, rowKey } = entity as { partitionKey: string; rowKey: string };
  return authenticValue({ table, partitionKey, rowKey }, entity, atRest);
};

describe('INV-13: an authentic row', () => {
  test.each(vectors.good)('INV-13: an authentic row of another implementation is read: $name', (vector) => {
    expect(open(vector)).toEqual(vector.value);
  });

  test.each(vectors.broken)('INV-13: an authentic row is damaged when it has $name', (vector) => {
    expect(open(vector)).toBe(damaged);
  });

  test.each(vectors.good.filter(({ entity }) => entity.generation === 3))(
    'INV-13: an authentic row is written as the other implementation writes it: $name',
    ({ table, entity, value }) => {
      const { partitionKey, rowKey, v, data, generation, mac, ...columns } = entity;
      const key = { partitionKey: String(partitionKey), rowKey: String(rowKey) };
      expect(entityOf(table, rowOf(key, value, columns), atRest)).toEqual(entity);
    },
  );

  test.skipIf(python === undefined)(
    'INV-13: an authentic row has vectors that their recipe makes again, byte by byte',
    () => {
      expect(execFileSync(python ?? '', [recipe], { encoding: 'utf8' })).toBe(text);
    },
  );
});
