/**
 * `npm run openapi`: docs/openapi.json, as the app serves it, and the types that the client has of it. Tests compare
 * both with the app.
 */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openApiOf } from './src/functions/http/openApi/openApi.ts';
import { routes } from './src/functions/routes.ts';

export const openApiText = (): string => `${JSON.stringify(openApiOf(routes), null, 2)}\n`;

if (import.meta.main) {
  await writeFile(new URL('docs/openapi.json', import.meta.url), openApiText());
  execFileSync(process.execPath, [fileURLToPath(new URL('packages/client/generateTypes.ts', import.meta.url))]);
}
