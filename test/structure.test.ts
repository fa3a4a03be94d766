import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { capabilities, structureOf } from '../tools/structure.ts';

const root = join(import.meta.dirname, '..');
const { arrows, upward, largestCircle, seeService } = structureOf(join(root, 'src/core'));

test('no file of src/core imports from a capability above its own', () => {
  expect(arrows.length).toBeGreaterThan(100);
  expect(upward).toEqual([]);
});

test('no two files of src/core import each other, types counted', () => {
  expect(largestCircle).toEqual([]);
});

test('no capability of src/core sees the dependencies of all others', () => {
  expect(seeService).toEqual([]);
});

test('every folder and file at the top of src/core has its place in the order of capabilities', () => {
  const present = globSync('*', { cwd: join(root, 'src/core') });
  expect(capabilities).toEqual(expect.arrayContaining(present));
});

test('an import that leads upward is found', () => {
  const { upward: found } = structureOf(join(root, 'test/fixtures/structure'));
  expect(found).toEqual([{ from: 'base/low.ts', to: 'ams/high.ts' }]);
});

test('CONTRIBUTING.md names the command that prints the structure', () => {
  expect(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')).toContain('node tools/structure.ts');
});
