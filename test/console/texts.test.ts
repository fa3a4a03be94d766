/** The console explains a failure with the texts of the API only, so it cannot contradict docs/runbook.md. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { causes } from '../../src/core/base/causes.ts';

const folder = fileURLToPath(new URL('../../console/src/', import.meta.url));
const sources = globSync('**/*.{ts,tsx}', { cwd: folder }).map((name) => readFileSync(folder + name, 'utf8'));

test('no source of the console names a cause or a command of Azure', () => {
  expect(sources.length).toBeGreaterThan(20);
  const all = sources.join('\n');
  expect(causes.filter((cause) => new RegExp(`\\b${cause}\\b`).test(all))).toEqual([]);
  expect(all).not.toMatch(/\baz (keyvault|role|network|identity|ad) /);
});
