/**
 * A process that loads one variant of the app as the Functions worker does, prints the time, and ends. Arguments: the
 * variant's entry file, and a function to invoke first: `accountsGet` makes the first table read.
 */
import { get, type IncomingMessage } from 'node:http';
import { pathToFileURL } from 'node:url';
import { createIndexing, describeFunctions, isA } from '../../packages/functions-host/src/functionInfo.ts';
import { insideApp, installFunctionsCore } from '../../packages/functions-host/src/functionsCore.ts';
import { streamedInvocation } from '../../packages/functions-host/src/httpStream.ts';
import { createInvoker } from '../../packages/functions-host/src/invoke.ts';
import { createRegistration, type Registration } from '../../packages/functions-host/src/registration.ts';

export interface Loaded {
  readonly functions: number;
  readonly loadMs: number;
  /** From the beginning of the load to the end of the first invocation. */
  readonly firstCallMs?: number;
  /** User CPU time of the whole process, Node's own start included. */
  readonly cpuMs: number;
  readonly residentMiB: number;
}

const statuses: Record<string, number> = { accountsGet: 404, healthLive: 200 };

const forwarded = {
  'x-ms-invocation-id': 'first',
  'x-forwarded-host': 'localhost',
  'x-forwarded-proto': 'http',
  'x-functions-key': 'bench',
};

const [entry = '', name] = process.argv.slice(2);
const registration = createRegistration(
  () => undefined,
  () => undefined,
);
installFunctionsCore();

const began = performance.now();
await insideApp(registration, () => import(pathToFileURL(entry).href));
const loadMs = performance.now() - began;
const residentMiB = process.memoryUsage.rss() / 2 ** 20;
const functions = registration.functions.size;
const firstCallMs =
  name === undefined ? undefined : await invoke(name, registration).then(() => performance.now() - began);
const cpuMs = process.cpuUsage().user / 1000;
const loaded: Loaded = {
  functions,
  loadMs,
  residentMiB,
  cpuMs,
  ...(firstCallMs === undefined ? {} : { firstCallMs }),
};
process.send?.(loaded, () => process.exit(0));

/** A timer, or a GET. That of an account that does not exist goes from the trigger to the table and back. */
async function invoke(wanted: string, app: Registration): Promise<void> {
  const { HttpUri } = (await app.model?.getCapabilities?.({})) ?? {};
  app.close();
  const indexing = createIndexing(() => undefined);
  const described = describeFunctions(app, { ...process.env } as Record<string, string>, indexing);
  const target = described.find(({ info }) => info.name === wanted);
  if (target === undefined) throw new Error(`The app has no function ${wanted}.`);
  const invoker = createInvoker(app, {}, undefined, () => undefined);
  if (!isA(target, 'httpTrigger')) {
    const outcome = await invoker.invoke(target, { data: { json: JSON.stringify({ isPastDue: false }) } });
    if (outcome.kind === 'Failed') throw new Error(`${wanted} failed: ${outcome.error}`);
    return;
  }
  const failed = invoker.invoke(target, streamedInvocation('first', {}, { accountName: 'absent' })).then((outcome) => {
    if (outcome.kind === 'Failed') throw new Error(`${wanted} failed: ${outcome.error}`);
  });
  const answered = statusOf(`${HttpUri}api/accounts/absent`);
  const status = await Promise.race([answered, failed.then(() => answered)]);
  if (status !== statuses[wanted]) throw new Error(`${wanted} answered ${status}.`);
}

/** Sent as the host forwards a request to its worker. */
function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => response.resume().once('end', () => resolve(response.statusCode));
    get(url, { headers: forwarded }, answered).once('error', reject);
  });
}
