/**
 * `npm run matrix`: prints the fault matrix. `-- --json` prints JSON, `-- <words>` runs the rows whose names contain
 * the words.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startLab } from '../lab/lab.ts';
import { headLines, linesOf, linesOfRefusals, summaryOf, toJson, toJsonOfRefusal } from './print.ts';
import { rows } from './rows.ts';
import { runMatrix } from './run.ts';
import { reportedCauses, runSetTime } from './setTime.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } });
const wanted = positionals.join(' ').toLowerCase();
const chosen = rows.filter(({ name }) => name.toLowerCase().includes(wanted));
if (chosen.length === 0) {
  console.error(`No row has "${wanted}" in its name.`);
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
  for (const line of [...headLines, ...linesOf(outcomes)]) console.log(line);
  console.log(summaryOf(outcomes));
}

const lab = await startLab({ keyPool });
const refusals = wanted === '' ? await runSetTime(lab) : [];
await lab.stop();
if (values.json) for (const outcome of refusals) console.log(JSON.stringify(toJsonOfRefusal(outcome)));
else if (refusals.length > 0) {
  console.log('\nRejected when the key is set, before any write');
  for (const line of linesOfRefusals(refusals)) console.log(line);
}
if (!values.json) {
  const causes = new Set([...outcomes.flatMap(({ cause }) => cause ?? []), ...reportedCauses(refusals)]);
  console.log(`\n${causes.size} distinct causes in looks and rejections together`);
}
const isAsExpected =
  outcomes.every(({ differences }) => differences.length === 0) &&
  refusals.every(({ row, reported, isUnchanged }) => reported === row.cause && isUnchanged);
process.exitCode = isAsExpected ? 0 : 1;
