/** The app settings, as the code reads them and as docs/settings.md describes them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { settingOfPolicy } from '../src/azure/settings.ts';
import { defaultPolicy } from '../src/core/base/policy.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The source of the app, without the embedded stack. */
export const sourceOfApp = (): string =>
  ['src/core', 'src/azure', 'src/functions']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(root, folder, name)),
    )
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');

/** Every name of an app setting in the source of the app. */
export function settingsInSource(): string[] {
  const named =
    sourceOfApp().match(
      /\b(?:KEYWARD_[A-Z][A-Z_]*|AzureWebJobsStorage\w*|AZURE_FUNCTIONS_\w+|OTEL_EXPORTER_OTLP_METRICS_(?:ENDPOINT|HEADERS))\b/g,
    ) ?? [];
  return [...new Set([...named, ...Object.keys(defaultPolicy).map(settingOfPolicy)])];
}

export interface SettingRow {
  readonly name: string;
  readonly unit: string;
  readonly fallback: string;
  readonly meaning: string;
}

export function settingRows(markdown: string): SettingRow[] {
  return [...markdown.matchAll(/^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$/gm)].map(
    ([, name = '', unit = '', fallback = '', meaning = '']) => ({ name, unit, fallback, meaning }),
  );
}
