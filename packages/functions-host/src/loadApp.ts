/**
 * Loads the built app into this process, as the Node worker does: the files that package.json's `main` names (a path
 * or a glob), each by `import()`, CommonJS and ES modules alike (azure-functions-nodejs-worker, startApp).
 *
 * Every load has its own copy of the app and of `@azure/functions`: the entry's URL has a number, which every module
 * that it imports inherits, also later by `import()`. A second host in one process therefore shares no module state.
 */
import { existsSync, globSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { Server } from 'node:net';
import { join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { insideApp } from './functionsCore.ts';
import type { Registration } from './registration.ts';

const require = createRequire(import.meta.url);
const { nativeImport } = require('./nativeImport.ts') as typeof import('./nativeImport.ts');

const library = `${sep}node_modules${sep}@azure${sep}functions${sep}`;
let loads = 0;

/** True for the files that each load evaluates again: the app's own, and the library through which it registers. */
function isOwn(path: string, appDir: string): boolean {
  const inPackages = path.includes(`${sep}node_modules${sep}`);
  return path.includes(library) || (!inPackages && path.startsWith(appDir + sep));
}

function entryFiles(appDir: string): string[] {
  const file = join(appDir, 'package.json');
  if (!existsSync(file)) throw new Error(`${file} does not exist; its "main" names the file to load`);
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
    : `No functions: ${named} never loaded the Functions runtime. Either it calls nothing of @azure/functions, or its bundle cannot require('@azure/functions-core'): mark that module external, and give an ES module bundle a require made by createRequire(import.meta.url).`;
}

/**
 * Reads the app's capabilities after it has loaded, as the worker does, which also ends the time of `app.setup`. A
 * streaming app opens a server here and has no call to close it, because a worker process ends with it.
 */
async function readCapabilities({ model }: Registration): Promise<{ httpUri?: string; close(): void }> {
  const opened: Server[] = [];
  const { listen } = Server.prototype;
  Server.prototype.listen = function (this: Server, ...args: Parameters<typeof listen>) {
    opened.push(this);
    return listen.apply(this, args);
  } as typeof listen;
  try {
    const { HttpUri } = (await model?.getCapabilities?.({})) ?? {};
    const close = () => {
      for (const server of opened) server.close();
    };
    return { ...(HttpUri === undefined ? {} : { httpUri: HttpUri }), close };
  } finally {
    Server.prototype.listen = listen;
  }
}

let turn: Promise<unknown> = Promise.resolve();

export interface LoadedApp {
  /** Where a streaming app accepts requests. */
  httpUri?: string;
  unload(): void;
}

/** One load at a time, because Node fails when a module leaves the cache while another import waits for it. */
export function loadApp(appDir: string, registration: Registration): Promise<LoadedApp> {
  const load = turn.then(() => loadNow(appDir, registration));
  turn = load.catch(() => undefined);
  return load;
}

async function loadNow(appDir: string, registration: Registration): Promise<LoadedApp> {
  // The real path, because Node follows links before it caches a module.
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
    const { httpUri, close } = await readCapabilities(registration);
    const unload = () => {
      hooks.deregister();
      close();
    };
    return { ...(httpUri === undefined ? {} : { httpUri }), unload };
  } catch (error) {
    hooks.deregister();
    throw error;
  } finally {
    registration.close();
  }
}
