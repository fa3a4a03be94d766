/** `npm run matrix`: the fault matrix for people; `-- --json` for programs, `-- <words>` for the rows whose names hold them. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { headLine, lineOf, summaryOf, toJson } from './print.ts';
import { rows } from './rows.ts';
import { runMatrix } from './run.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } });
const wanted = positionals.join(' ').toLowerCase();
const chosen = rows.filter(({ name }) => name.toLowerCase().includes(wanted));
if (chosen.length === 0) {
  console.error(`No row's name holds "${wanted}".`);
  process.exit(1);
}

const keyPool = fileURLToPath(new URL('../../../test/fixtures/rsaKeys.json', import.meta.url));
const began = performance.now();
const onProgress = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${seconds()} s: ${text}`);
  else process.stderr.write(`${seconds()} s: ${text}\n`);
};
const seconds = () => Math.round((performance.now() - began) / 1000);

const outcomes = await runMatrix(chosen, { onProgress, keyPool });
if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
if (values.json) for (const outcome of outcomes) console.log(JSON.stringify(toJson(outcome)));
else {
  console.log(headLine);
  for (const outcome of outcomes) console.log(lineOf(outcome));
  console.log(summaryOf(outcomes));
}
process.exitCode = outcomes.every(({ differences }) => differences.length === 0) ? 0 : 1;
