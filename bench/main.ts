/**
 * `npm run bench`: measures the published figures, and ends with 1 when a figure misses its goal.
 * `npm run bench -- monitoring` runs one bench. `--json` prints one JSON line for each figure.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { runInOwnProcess } from './ownProcess.ts';
import { type Figure, tableOf } from './report.ts';

/** The name of each bench, and the file whose default export runs it. */
const benches: Readonly<Record<string, string>> = {
  monitoring: './monitoring.ts',
  overview: './overview.ts',
  secrets: './secrets.ts',
  dataKeys: './dataKeys.ts',
  rotation: './rotation.ts',
  http: './http.ts',
  startup: './startup.ts',
  console: './console.ts',
  security: './security.ts',
  scale: './scale.ts',
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } });
const unknown = positionals.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`There is no bench '${unknown[0]}'. The benches are: ${Object.keys(benches).join(', ')}`);
  process.exit(1);
}

const began = performance.now();
const figures: Figure[] = [];
let isComplete = true;
const out = values.json ? process.stderr : process.stdout;
const live = out.isTTY === true;

function progress(text: string): void {
  const seconds = Math.round((performance.now() - began) / 1000);
  const line = `${String(seconds).padStart(4)} s  load ${loadavg()[0]?.toFixed(1)}  ${text}`;
  out.write(live ? `\r\u001b[K${line.slice(0, (out.columns ?? 120) - 1)}` : `${line}\n`);
}

function figure(one: Figure): void {
  figures.push(one);
  if (values.json) console.log(JSON.stringify(one));
  else progress(`${one.name} = ${one.value} ${one.unit}, goal ${one.goal}${one.ok ? '' : ': MISSED'}`);
}

for (const name of positionals.length > 0 ? positionals : Object.keys(benches)) {
  try {
    await runInOwnProcess(new URL(benches[name] ?? '', import.meta.url), { figure, progress });
  } catch (error) {
    isComplete = false;
    progress(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    out.write('\n');
  }
}
if (live) out.write('\r\u001b[K');
if (!values.json) console.log(`\n${tableOf(figures)}`);
process.exitCode = isComplete && figures.every(({ ok }) => ok) ? 0 : 1;
