/**
 * `npm start`: the embedded stack with its data on disk. It prints a page of calls to paste, and then a line for each
 * event. `npm start -- --help` prints the options.
 */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setInterval as every } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LogRecord } from '../../packages/functions-host/src/host.ts';
import { isAtLeast } from '../../packages/functions-host/src/logs.ts';
import { settingOfPolicy } from '../azure/settings.ts';
import { policyNames } from '../core/base/policy.ts';
import { localHostKeys, operatorToken } from './operator.ts';
import { type Stack, startStack } from './stack.ts';
import { quoted, startPage, vault } from './startPage.ts';
import { lineOf } from './topic/line.ts';
import type { CloudEvent } from './topic/topic.ts';

const usage = `npm start -- [options]
  --port N       where the API listens; 0 takes any free port (7071)
  --dir FOLDER   the folder of the data (.keyward in the project)
  --fresh        deletes the data first
  --auth functionKeys   function keys instead of the local issuer's tokens; no user can sign in to the console then
  --proxy        a proxy through which unmodified Azure clients reach this stack`;

/** Functions whose information lines are printed. */
const shownFunctions = ['vaultWork', 'keyEvents', 'resourceEvents', 'sweep'];
/** A token is valid for an hour. */
const TOKEN_RENEWAL_MS = 30 * 60_000;
/** Under npm one Ctrl-C can arrive twice, from the terminal and from npm. */
const SAME_KEY_PRESS_MS = 500;
/** How often to check that the npm process is still there. */
const PARENT_CHECK_MS = 1_000;
/** Long enough for most looks (5 s at most) to end; Keyward repeats an interrupted look later. */
const DRAIN_MS = 3_000;

type Options = { port: number; dir: string; fresh: boolean; auth: 'entra' | 'functionKeys'; hasProxy: boolean };

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '7071' },
      dir: { type: 'string', default: fileURLToPath(new URL('../../.keyward', import.meta.url)) },
      fresh: { type: 'boolean', default: false },
      auth: { type: 'string', default: 'entra' },
      proxy: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const { auth, fresh, proxy: hasProxy } = values;
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535)
    throw new Error('--port is a number up to 65535.');
  if (auth !== 'entra' && auth !== 'functionKeys') throw new Error('--auth is entra or functionKeys.');
  if (hasProxy && auth !== 'entra') throw new Error('--proxy needs --auth entra, because Azure clients send tokens.');
  return { port: Number(values.port), dir: resolve(values.dir), fresh, auth, hasProxy };
}

/** The environment can set the pace of looks and sweeps; tenant, keys and addresses are always the local ones. */
function paceSettings(): Record<string, string> {
  const names = [...policyNames.map(settingOfPolicy), 'KEYWARD_SWEEP_SCHEDULE'];
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']).filter(([, value]) => value !== ''));
}

/** Creates the customer's vault of the page. A vault from an earlier run stays as the developer left it. */
async function prepareVaults(stack: Stack): Promise<void> {
  type Seen = { name: string; deleted?: string; keys: string[]; subscriptions: { name: string }[] };
  const vaults = await stack.keyVault<Seen[]>('GET', '/vaults');
  const known = vaults.find(({ name }) => name === vault);
  if (known === undefined) await stack.createCustomerVault(vault);
  if (!known?.keys.includes('media')) {
    await stack.keyVault('POST', `/vaults/${vault}/keys/media`, { kty: 'RSA', size: 3072 });
  }
  for (const { name, deleted, subscriptions } of vaults) {
    const isOurs = name === vault || subscriptions.some((one) => one.name === 'keyward');
    if (isOurs && deleted === undefined) await stack.subscribeToVault(name);
  }
  await stack.subscribeToResources();
  // No wait between the deletion of a key and its recovery, so that a block of lines works when it is pasted at once.
  await stack.keyVault('PUT', '/timings', { deleteDelayMs: 0 });
}

/** The caller's credential as an argument of curl. A token is long and expires, so curl reads it from a file. */
async function identification(stack: Stack, { auth, dir }: Options): Promise<string> {
  if (auth === 'functionKeys') return `-H 'x-functions-key: ${localHostKeys.function}'`;
  const file = join(dir, 'authorization');
  const renew = async () => {
    await writeFile(file, `Authorization: Bearer ${await operatorToken(stack.identity)}\n`, { mode: 0o600 });
  };
  await renew();
  every(() => void renew().catch((error) => console.error(String(error))), TOKEN_RENEWAL_MS).unref();
  return `-H ${quoted(`@${file}`)}`;
}

/** Prints warnings, and the information lines of background functions, except for a sweep without vaults. */
function printRecord({ level, category, functionName = '', message, at }: LogRecord): void {
  const isShown =
    category.endsWith('.User') && shownFunctions.includes(functionName) && isAtLeast(level, 'information');
  if (!isShown && !isAtLeast(level, 'warning')) return;
  if (message.startsWith('Swept all vaults {"vaults":0,')) return;
  const severity = isAtLeast(level, 'warning') ? `${level}: ` : '';
  print(at, functionName || 'host', severity + message);
}

const printAnnouncement = (event: CloudEvent): void => print(Date.now(), 'announced', lineOf(event));

const print = (at: number, source: string, text: string): void =>
  console.log(`${new Date(at).toTimeString().slice(0, 8)}  ${source.padEnd(14)}  ${text}`);

/** The first signal stops in order, a second signal at once. */
function stopOnSignal(stack: Stack, { dir }: Options): void {
  let firstAt: number | undefined;
  const stop = () => {
    if (firstAt !== undefined && Date.now() - firstAt > SAME_KEY_PRESS_MS) process.exit(130);
    if (firstAt !== undefined) return;
    firstAt = Date.now();
    console.log('\nStopping. Ctrl-C again stops at once.');
    stack.stop().then(
      () => {
        console.log(`Stopped; the data is in ${dir}`);
        process.exit(0);
      },
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  // The terminal was closed. The data is saved, although no line can be printed.
  process.on('SIGHUP', stop);
  // A signal to npm ends npm's shell, which does not pass it on. Windows never changes the parent's id.
  const parent = process.ppid;
  every(() => {
    if (process.ppid !== parent && firstAt === undefined) stop();
  }, PARENT_CHECK_MS).unref();
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
}

function fail(error: unknown, { port }: Partial<Options> = {}): never {
  const isPortTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE' && port !== undefined;
  const message = error instanceof Error ? error.message : String(error);
  console.error(
    `npm start: ${isPortTaken ? `port ${port} is taken. Choose another: npm start -- --port ${port + 1}` : message}`,
  );
  process.exit(1);
}

let options: Options | undefined;
try {
  options = readOptions();
  const { port, dir, fresh, auth, hasProxy } = options;
  // Beside the API's port, so that the printed lines stay valid after a restart.
  const proxy = hasProxy ? { proxy: { dir: join(dir, 'proxy'), port: port === 0 ? 0 : port + 1 } } : {};
  const settings = { KEYWARD_AUTH: auth, ...paceSettings() };
  let isReady = false;
  const onLog = (record: LogRecord) => {
    if (isReady || isAtLeast(record.level, 'warning')) printRecord(record);
  };
  const onPublished = (event: CloudEvent) => {
    if (isReady) printAnnouncement(event);
  };
  const stack = await startStack({ port, dir, fresh, settings, drainMs: DRAIN_MS, onLog, onPublished, ...proxy });
  stopOnSignal(stack, options);
  await prepareVaults(stack);
  console.log(startPage(stack, await identification(stack, options), dir));
  isReady = true;
} catch (error) {
  fail(error, options);
}
