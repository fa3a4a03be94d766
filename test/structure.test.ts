import { globSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { capabilities, structureOf } from '../tools/structure.ts';

const root = join(import.meta.dirname, '..');
const { arrows, upward, largestCircle, seeService, ports } = structureOf(join(root, 'src/core'));

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

test('no port of a capability has more than five functions', () => {
  expect(ports.length).toBeGreaterThan(40);
  expect(ports.filter(({ functions }) => functions > 5)).toEqual([]);
});

test('every folder and file at the top of src/core has its place in the order of capabilities', () => {
  const present = globSync('*', { cwd: join(root, 'src/core') });
  expect(capabilities).toEqual(expect.arrayContaining(present));
});

const fixture = structureOf(join(root, 'test/fixtures/structure'));

test('an import that leads upward is found', () => {
  expect(fixture.upward).toEqual([{ from: 'base/low.ts', to: 'ams/high.ts' }]);
});

test('the functions of a port are counted, and its other members are not', () => {
  expect(fixture.ports).toEqual([{ name: 'Wide', functions: 4 }]);
});

test('no object literal is assembled from literal pieces, in which the compiler finds no misspelt property', () => {
  const sources = globSync('{src,packages,console,bench,infra,test,tools,examples}/**/*.{ts,tsx}', {
    cwd: root,
    exclude: (path) => /node_modules|dist/.test(path),
  });
  expect(sources.length).toBeGreaterThan(500);
  const piece = /\.\.\.\{ |\.\.\.\{$/m;
  expect(sources.filter((file) => piece.test(readFileSync(join(root, file), 'utf8')))).toEqual([]);
});

test('CONTRIBUTING.md names the command that prints the structure', () => {
  expect(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')).toContain('node tools/structure.ts');
});

test('Node can load every source file as it is: local tools and benches run without a build', () => {
  const sources = globSync('{src,bench,infra,tools,packages/*/src}/**/*.ts', { cwd: root });
  expect(sources.length).toBeGreaterThan(400);
  const refused = sources.filter((file) => {
    try {
      return stripTypeScriptTypes(readFileSync(join(root, file), 'utf8')) === '';
    } catch {
      return true;
    }
  });
  expect(refused).toEqual([]);
});
