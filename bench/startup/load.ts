/**
 * A process that loads one variant of the app as the Functions worker does, prints the time, and ends. Arguments: the
 * variant's entry file, and `read` to make a first table read through the function `accountsGet` as well.
 */
import { pathToFileURL } from 'node:url';
import { createIndexing, describeFunctions, isA } from '../../packages/functions-host/src/functionInfo.ts';
import { insideApp, installFunctionsCore } from '../../packages/functions-host/src/functionsCore.ts';
import { createInvoker } from '../../packages/functions-host/src/invoke.ts';
import { createRegistration, type Registration } from '../../packages/functions-host/src/registration.ts';

export interface Loaded {
  readonly functions: number;
  readonly loadMs: number;
  /** From the beginning of the load to the response of the first read. */
  readonly firstReadMs?: number;
  readonly residentMiB: number;
}

const [entry = '', read] = process.argv.slice(2);
const registration = createRegistration(() => undefined);
installFunctionsCore();

const began = performance.now();
await insideApp(registration, () => import(pathToFileURL(entry).href));
const loadMs = performance.now() - began;
const residentMiB = process.memoryUsage.rss() / 2 ** 20;
const functions = registration.functions.size;
const firstReadMs =
  read === 'read' ? await readAnAccount(registration).then(() => performance.now() - began) : undefined;
const loaded: Loaded = { functions, loadMs, residentMiB, ...(firstReadMs === undefined ? {} : { firstReadMs }) };
process.send?.(loaded, () => process.exit(0));

/** GET of an account that does not exist: the whole path from the trigger to the table and back. */
async function readAnAccount(app: Registration): Promise<void> {
  app.close();
  const indexing = createIndexing(() => undefined);
  const target = describeFunctions(app, { ...process.env } as Record<string, string>, indexing).find(
    (one) => isA(one, 'httpTrigger') && one.info.name === 'accountsGet',
  );
  if (target === undefined) throw new Error('The app has no function accountsGet.');
  const url = 'http://localhost/api/accounts/nobody';
  const http = { method: 'GET', url, headers: {}, query: {}, params: { accountName: 'nobody' }, body: null };
  const outcome = await createInvoker(app, {}, undefined, () => undefined).invoke(target, { data: { http } });
  const status = outcome.kind === 'Failed' ? outcome.error : outcome.response.returnValue?.http?.statusCode;
  if (Number(status) !== 404) throw new Error(`The first read answered ${status}, not 404.`);
}
