/** Writes src/generated/openapi.d.ts from docs/openapi.json (`npm run openapi`). */
import { readFile, writeFile } from 'node:fs/promises';
import openApiTypes, { astToString } from 'openapi-typescript';

const header =
  '/** Made from docs/openapi.json by generateTypes.ts: change the contracts of the app, then run `npm run openapi`. */\n';

export async function typesText(): Promise<string> {
  const document = JSON.parse(await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8'));
  return header + astToString(await openApiTypes(document));
}

if (import.meta.main) {
  await writeFile(new URL('src/generated/openapi.d.ts', import.meta.url), await typesText());
}
