/**
 * Azurite's servers as a library. The package has no types and no entry point for this use, so this file loads the
 * constructors by path and holds their long positional argument lists.
 */
import { createHmac, createSecretKey } from 'node:crypto';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** The part of Azurite's `ServerBase` in use here. */
export type AzuriteServer = {
  start(): Promise<void>;
  close(): Promise<void>;
  /** Closes the stores; public only in JavaScript, needed when `start` failed half-way. */
  afterClose(): Promise<void>;
  getStatus(): string;
  getHttpServerAddress(): string;
  readonly httpServer: Pick<Server, 'closeAllConnections' | 'emit'>;
};

/** `dir` undefined: Azurite writes nothing to disk. */
export type ServerOptions = { port: number; dir: string | undefined };

/** Azurite's signature of a request, which it compares with the caller's. */
interface Signing {
  computeHMACSHA256: (text: string, key: Buffer) => string;
}

type Constructor<T> = new (...args: unknown[]) => T;
type Module<T> = { default: Constructor<T> };

const requireHere = createRequire(import.meta.url);
const library = loadWithoutTelemetry();

function loadWithoutTelemetry() {
  const requireFromAzurite = createRequire(requireHere.resolve('azurite/package.json'));
  const sdk = requireFromAzurite.resolve('applicationinsights');
  const loadedByOthers = sdk in requireHere.cache;
  // Azurite loads the Application Insights SDK also when telemetry is off, which takes two thirds of its start time. An
  // empty module instead also ensures that nothing is sent.
  if (!loadedByOthers) requireHere.cache[sdk] = emptyModule(sdk);
  try {
    const load = <T>(path: string) => requireHere(`azurite/dist/src/${path}`) as T;
    const { AzuriteTelemetryClient } = load<{
      AzuriteTelemetryClient: { init(location: string, enabled: boolean): void };
    }>('common/Telemetry.js');
    AzuriteTelemetryClient.init('', false);
    // For a key that is not a KeyObject, Node 24 throws and catches an error, which takes longer than the signature.
    load<Signing>('common/utils/utils.js').computeHMACSHA256 = (text, key) =>
      createHmac('sha256', createSecretKey(key)).update(text, 'utf8').digest('base64');
    return {
      TableServer: load<Module<AzuriteServer>>('table/TableServer.js').default,
      TableConfiguration: load<Module<object>>('table/TableConfiguration.js').default,
      QueueServer: load<Module<AzuriteServer>>('queue/QueueServer.js').default,
      QueueConfiguration: load<Module<object>>('queue/QueueConfiguration.js').default,
      BlobServer: load<Module<AzuriteServer>>('blob/BlobServer.js').default,
      BlobConfiguration: load<Module<object>>('blob/BlobConfiguration.js').default,
      MemoryExtentChunkStore: load<{ MemoryExtentChunkStore: Constructor<object> }>(
        'common/persistence/MemoryExtentStore.js',
      ).MemoryExtentChunkStore,
    };
  } finally {
    if (!loadedByOthers) delete requireHere.cache[sdk];
  }
}

function emptyModule(id: string): NodeJS.Module {
  return Object.assign(Object.create(null), { id, filename: id, loaded: true, exports: {}, children: [], paths: [] });
}

const HOST = '127.0.0.1';
const KEEP_ALIVE_SECONDS = 5;
/** Logs off in both orders: the table configuration takes (debug, access), the other two (access, debug). */
const SILENT = [false, false] as const;
const STRICT = false;
/** The SDKs request newer API versions than Azurite lists; Keyward uses none of the differences. */
const ANY_API_VERSION = true;
const NO_TLS = ['', '', ''] as const;
const NO_OAUTH = undefined;
const PATH_STYLE_AND_HOST_STYLE = false;

const file = (dir: string | undefined, name: string) => (dir === undefined ? name : join(dir, name));

export function tableServer({ port, dir }: ServerOptions): AzuriteServer {
  const configuration = new library.TableConfiguration(
    HOST,
    port,
    KEEP_ALIVE_SECONDS,
    file(dir, 'tables.json'),
    ...SILENT,
    undefined,
    undefined,
    STRICT,
    ANY_API_VERSION,
    ...NO_TLS,
    NO_OAUTH,
    PATH_STYLE_AND_HOST_STYLE,
    dir === undefined,
  );
  return new library.TableServer(configuration);
}

export function queueServer(options: ServerOptions): AzuriteServer {
  return new library.QueueServer(extentConfiguration(library.QueueConfiguration, 'queue', options));
}

export function blobServer(options: ServerOptions): AzuriteServer {
  return new library.BlobServer(extentConfiguration(library.BlobConfiguration, 'blob', options));
}

/** Queue and blob servers store bodies in extents beside their metadata, and have the same arguments. */
function extentConfiguration(Configuration: Constructor<object>, name: string, { port, dir }: ServerOptions): object {
  const extents = [{ locationId: 'Default', locationPath: file(dir, `${name}-extents`), maxConcurrency: 1 }];
  return new Configuration(
    HOST,
    port,
    KEEP_ALIVE_SECONDS,
    file(dir, `${name}s.json`),
    file(dir, `${name}-extents.json`),
    extents,
    SILENT[0],
    undefined,
    SILENT[1],
    undefined,
    STRICT,
    ANY_API_VERSION,
    ...NO_TLS,
    NO_OAUTH,
    PATH_STYLE_AND_HOST_STYLE,
    dir === undefined,
    // One store per server: the default is shared by every server in the process.
    new library.MemoryExtentChunkStore(),
  );
}
