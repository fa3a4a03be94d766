/**
 * `npm run demo`: shows the main job step by step on the embedded stack. `-- --json` prints one JSON object for each
 * step.
 */
import { isAtLeast, printWarnings } from '../../../packages/functions-host/src/logs.ts';
import { amsSettings } from '../amsClient.ts';
import { startStack } from '../stack.ts';
import { amsChapter } from './amsClient.ts';
import { compressedTime } from './compressedTime.ts';
import { drillSettings } from './drill.ts';
import { createNarrator } from './narrator.ts';
import { story } from './story.ts';

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
  // Each step shows what its changes of a key did, so the app's warnings about them would say it twice.
  onLog: (record) => {
    if (isAtLeast(record.level, 'error')) printWarnings(record);
  },
});
try {
  await story(stack, narrator);
  await amsChapter(stack, narrator);
} finally {
  await stack.stop();
}
process.exitCode = narrator.close() ? 0 : 1;
