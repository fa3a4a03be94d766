/**
 * `npm run demo`: shows the main job step by step on the embedded stack. `-- --json` prints one JSON object for each
 * step.
 */
import { amsSettings } from '../amsClient.ts';
import { startStack } from '../stack.ts';
import { amsChapter } from './amsClient.ts';
import { drillSettings } from './drill.ts';
import { createNarrator } from './narrator.ts';
import { compressedTime, story } from './story.ts';

const json = process.argv.includes('--json');
const narrator = createNarrator(json, (line) => process.stdout.write(`${line}\n`));

if (!json) {
  process.stdout.write(
    'Keyward demo: the built app with the real Azure SDK clients, on Azurite and a Key Vault emulator on this machine.\n' +
      'Key checks are a minute apart in production and seconds apart here.\n',
  );
}
const stack = await startStack({
  settings: { ...compressedTime, ...amsSettings, ...drillSettings },
  onPublished: () => undefined,
});
try {
  await story(stack, narrator);
  await amsChapter(stack, narrator);
} finally {
  await stack.stop();
}
process.exitCode = narrator.close() ? 0 : 1;
