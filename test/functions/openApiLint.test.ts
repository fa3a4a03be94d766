/** The linters that readers of an OpenAPI document run, each with the rules that it recommends. */
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { openApiText } from '../../openApi.ts';

// Node loads them as they are: Vite would transform hundreds of files, and their types slow down `tsc` for all.
const load = createRequire(import.meta.url);

interface SpectralFinding {
  readonly code: string;
  readonly path: readonly (string | number)[];
  readonly message: string;
}

async function spectral(text: string): Promise<string[]> {
  const { Spectral } = load('@stoplight/spectral-core');
  const { oas } = load('@stoplight/spectral-rulesets');
  const linter = new Spectral();
  linter.setRuleset({ extends: [[oas, 'recommended']] });
  const found: SpectralFinding[] = await linter.run(JSON.parse(text));
  return found.map(({ code, path, message }) => `${code} at ${path.join('.')}: ${message}`);
}

interface RedoclyFinding {
  readonly ruleId: string;
  readonly location: readonly { readonly pointer?: string }[];
  readonly message: string;
}

async function redocly(text: string): Promise<string[]> {
  const { createConfig, lintFromString } = load('@redocly/openapi-core');
  const config = await createConfig({ extends: ['recommended'] });
  const found: RedoclyFinding[] = await lintFromString({ source: text, absoluteRef: 'openapi.json', config });
  return found.map(({ ruleId, location, message }) => `${ruleId} at ${location[0]?.pointer}: ${message}`);
}

describe.each([
  ['Spectral', spectral],
  ['Redocly', redocly],
] as const)('%s', (name, lint) => {
  test(`${name} has nothing to say about the document, by its recommended rules`, async () => {
    expect(await lint(openApiText())).toEqual([]);
  });

  test(`${name} finds that a document names no server`, async () => {
    const bare = { openapi: '3.1.1', info: { title: 'Bare', version: '1' }, paths: {} };
    expect((await lint(JSON.stringify(bare))).join('\n')).toMatch(/servers/i);
  });
});
