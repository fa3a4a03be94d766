import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

test('npm run test:exhaustive runs every test file that has an exhaustive run', () => {
  const files = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.test.ts'),
  );
  const exhaustive = files.filter((name) =>
    /from '[./]+\/exhaustive\.ts'/.test(readFileSync(`${root}test/${name}`, 'utf8')),
  );
  expect(exhaustive.length).toBeGreaterThan(0);
  const config = readFileSync(`${root}vitest.config.ts`, 'utf8');
  const list = /const exhaustive = \[([^\]]*)\]/.exec(config)?.[1] ?? '';
  const named = [...list.matchAll(/'([^']+)'/g)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(exhaustive.map((name) => `test/${name}`).toSorted());
});
