/** The types of the contract are those of the document in the repository. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { typesText } from '../generateTypes.ts';

test('the types of the contract are made of docs/openapi.json: `npm run openapi` writes them', async () => {
  expect(readFileSync(new URL('../src/generated/openapi.d.ts', import.meta.url), 'utf8')).toBe(await typesText());
});
