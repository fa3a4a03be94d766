/**
 * `npm run infra`: compiles and lints every template and parameter file, and compares the result with the committed
 * files. `npm run infra -- --write` writes those again.
 *
 * Committed are the ARM template for each "Deploy to Azure" button, and for each deployment below a snapshot: every
 * resource that Azure would be sent, with its expressions evaluated. `npm test` reads both, so it needs no compiler.
 */
import { globSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { connectionPlan } from '../../src/core/customerPage/connectionPlan.ts';
import { planFacts } from '../../test/customerPage/planFacts.ts';
import { bicepVersion, type Compiler, findCompiler, type Outcome } from './compiler.ts';
import { lintText } from './lintText.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Templates with a button. */
const buttons = ['infra/main.bicep', 'infra/events.bicep', 'infra/customer/main.bicep'];
/** The parameters as they are shipped, and those of test/infra/. */
const deployments = ['infra/main.bicepparam', ...globSync('test/infra/*.bicepparam', { cwd: root }).toSorted()];

/** What the parameter files read from the environment. */
const environment = {
  KEYWARD_AUTH_AUDIENCE: '00000000-0000-0000-0000-000000000000',
  KEYWARD_ALERT_EMAILS: '',
  AZURE_ENV_NAME: 'trial',
  AZURE_LOCATION: 'westeurope',
};
const where = [
  '--subscription-id',
  '11111111-1111-1111-1111-111111111111',
  '--resource-group',
  'keyward',
  '--location',
  'westeurope',
];

async function main(): Promise<void> {
  const mayWrite = process.argv.slice(2).join(' ') === '--write';
  const compiler = await findCompiler(environment);
  if (compiler === undefined)
    return fail(`No Bicep compiler. Install the .NET SDK, put bicep ${bicepVersion} on PATH, or run: az bicep install`);
  console.log(`Bicep ${compiler.version}`);

  const files: (readonly [path: string, text: string])[] = [];
  await expectClean('infra/**/*.bicep', compiler.run('lint', '--pattern', './infra/**/*.bicep'));
  for (const [name, facts] of Object.entries(planFacts)) {
    const { bicep } = connectionPlan(facts);
    const diagnostics = bicep === undefined ? '' : await lintText(bicep.text, compiler);
    if (diagnostics !== '') fail(`The Bicep of the connection plan '${name}':\n${diagnostics}`);
  }
  const azd = 'infra/azd/main.bicepparam';
  await expectClean(azd, compiler.run('build-params', azd, '--stdout'));
  for (const template of buttons) files.push([template.replace(/bicep$/, 'json'), await compiled(compiler, template)]);
  for (const parameters of deployments)
    files.push([
      `test/infra/${basename(parameters, '.bicepparam')}.snapshot.json`,
      await snapshot(compiler, parameters),
    ]);

  if (process.exitCode !== undefined) return;
  for (const [path, text] of files) {
    if (mayWrite) await writeFile(join(root, path), text);
    else await compare(path, text);
  }
  if (process.exitCode === undefined)
    console.log(`${files.length} compiled files ${mayWrite ? 'written' : 'compared'}`);
}

async function compiled(compiler: Compiler, template: string): Promise<string> {
  const { stdout } = await expectClean(template, compiler.run('build', template, '--stdout'));
  return `${stdout.trimEnd()}\n`;
}

/** The compiler can write a snapshot only beside its parameter file. */
async function snapshot(compiler: Compiler, parameters: string): Promise<string> {
  const written = join(root, parameters.replace(/bicepparam$/, 'snapshot.json'));
  const before = await readFile(written, 'utf8').catch(() => undefined);
  await expectClean(parameters, compiler.run('snapshot', parameters, '--mode', 'overwrite', ...where));
  const text = await readFile(written, 'utf8').catch(() => '');
  if (before === undefined) await rm(written, { force: true });
  else await writeFile(written, before);
  return `${text.trimEnd()}\n`;
}

async function compare(path: string, text: string): Promise<void> {
  const committed = await readFile(join(root, path), 'utf8').catch(() => '{}');
  if (isDeepStrictEqual(withoutGenerator(committed), withoutGenerator(text))) return;
  fail(`${path} is not what the templates compile to. Run: npm run infra -- --write`);
}

/** A compiler adds its name and a hash to each template. Another version may have compiled the same. */
const withoutGenerator = (json: string): unknown =>
  JSON.parse(json, (key, value) => (key === '_generator' ? undefined : value));

/** Warnings are errors. */
async function expectClean(what: string, running: Promise<Outcome>): Promise<Outcome> {
  const outcome = await running;
  const diagnostics = outcome.stderr.trim().replaceAll(root, '');
  if (diagnostics !== '' || !outcome.isSuccess) fail(`${what}:\n${diagnostics}`);
  return outcome;
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}

await main();
