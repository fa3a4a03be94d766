/**
 * Loads the built app into this process, as the Node worker does: the files that package.json's `main` names (a path
 * or a glob), each by `import()`, CommonJS and ES modules alike (azure-functions-nodejs-worker, startApp).
 *
 * Every load has a copy of the app of its own, with `@azure/functions` in it: the entry's URL carries a number, which
 * every module it imports inherits, at once or later by `import()`. So a second host in one process starts afresh.
 */
import { existsSync, globSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { insideApp } from './functionsCore.ts';
import { capturingServers, type WorkerServer, workerServer } from './httpStream.ts';
import type { Registration } from './registration.ts';

const require = createRequire(import.meta.url);
const { nativeImport } = require('./nativeImport.ts') as typeof import('./nativeImport.ts');

const library = `${sep}node_modules${sep}@azure${sep}functions${sep}`;
let loads = 0;

/** True for the files that each load evaluates anew: the app's own, and the library through which it registers. */
function isOwn(path: string, appDir: string): boolean {
  const inPackages = path.includes(`${sep}node_modules${sep}`);
  return path.includes(library) || (!inPackages && path.startsWith(appDir + sep));
}

function entryFiles(appDir: string): string[] {
  const file = join(appDir, 'package.json');
  if (!existsSync(file)) throw new Error(`${file} does not exist; its "main" says which file to load`);
  const { main } = JSON.parse(readFileSync(file, 'utf8')) as { main?: unknown };
  if (typeof main !== 'string' || main === '') throw new Error(`${file}: "main" must name the built app`);
  const paths = /[*?{[]/.test(main) ? globSync(main, { cwd: appDir }).sort() : [main];
  const files = paths.map((path) => resolve(appDir, path));
  const missing = files.find((path) => !existsSync(path));
  if (missing !== undefined) throw new Error(`${file}: "main" names ${missing}, which does not exist; is it built?`);
  if (files.length === 0) throw new Error(`${file}: no file matches "main" (${main}); is it built?`);
  return files;
}

function whyNoFunctions(registration: Registration, files: string[]): string {
  const named = files.join(', ');
  return registration.coreRequired
    ? `No functions: ${named} found the Functions runtime but registered none while it loaded. Call app.http and the like at module level, not after a timeout or an un-awaited promise.`
    : `No functions: ${named} never asked for the Functions runtime. Either it calls nothing of @azure/functions, or its bundle cannot require('@azure/functions-core'): mark that module external, and give an ES module bundle a require made by createRequire(import.meta.url).`;
}

/**
 * The worker asks for the app's capabilities when it has loaded, which also ends the time of `app.setup`. Undefined: the
 * app did not set enableHttpStream.
 */
async function lockSetup(registration: Registration): Promise<WorkerServer | undefined> {
  const asked = async () => registration.model?.getCapabilities?.({});
  const { result, servers } = await capturingServers(asked);
  return result?.HttpUri === undefined ? undefined : workerServer(result.HttpUri, servers);
}

export interface LoadedApp {
  /** Where the app takes requests as streams. */
  readonly httpStream: WorkerServer | undefined;
  unload(): void;
}

let turn: Promise<unknown> = Promise.resolve();

/** One load at a time: Node does not take it well when a module leaves the cache while another import waits for it. */
export function loadApp(appDir: string, registration: Registration): Promise<LoadedApp> {
  const load = turn.then(() => loadNow(appDir, registration));
  turn = load.catch(() => undefined);
  return load;
}

async function loadNow(appDir: string, registration: Registration): Promise<LoadedApp> {
  // As modules see themselves: Node follows links before it caches.
  const root = realpathSync(resolve(appDir));
  const files = entryFiles(root);
  const mark = `host=${++loads}`;
  for (const path of Object.keys(require.cache)) if (isOwn(path, root)) delete require.cache[path];

  const rootUrl = pathToFileURL(root).href;
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const parent = context.parentURL ?? '';
      if (!parent.endsWith(`?${mark}`) || !found.url.startsWith('file:') || found.url.includes('?')) return found;
      const inPackages = found.url.includes('/node_modules/');
      const own = found.url.includes('/node_modules/@azure/functions/') || !inPackages;
      return own ? { ...found, url: `${found.url}?${mark}` } : found;
    },
  });

  try {
    for (const file of files) {
      const url = pathToFileURL(file).href;
      await insideApp(registration, () => nativeImport(`${url}?${mark}`)).catch((error: unknown) => {
        const name = relative(root, file);
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`${name} of ${rootUrl} failed to load: ${reason}`, { cause: error });
      });
    }
    if (registration.functions.size === 0) throw new Error(whyNoFunctions(registration, files));
    const httpStream = await lockSetup(registration);
    return {
      httpStream,
      unload() {
        httpStream?.close();
        hooks.deregister();
      },
    };
  } catch (error) {
    hooks.deregister();
    throw error;
  } finally {
    registration.close();
  }
}
