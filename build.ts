/**
 * Builds the app that the Functions host loads into dist/: functions/index.js, which only registers; app.js, with
 * everything of Keyward, which the first call loads; and one file for each SDK in sdk/. Few files, and parts that are
 * evaluated when they are first used, make a cold start cheap. `@azure/functions-core` exists only inside the host's
 * worker. The console's files are beside them.
 */
import { readFile, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { buildConsole } from './console/build.ts';
import { registeredRoutes } from './src/functions/routes.ts';

/** Code that Keyward never uses, which esbuild cannot know: in which file, what, and its replacement. */
const unused: readonly { file: RegExp; before: RegExp; after: string }[] = [
  // The client of Event Grid has the mappers of every event that Azure sends, and publishing a CloudEvent needs one.
  {
    file: /@azure[\\/]eventgrid[\\/].*[\\/]generatedClient\.js$/,
    before: /import \* as Mappers from "\.\/models\/mappers\.js";/,
    after: 'import { CloudEvent } from "./models/mappers.js"; const Mappers = { CloudEvent };',
  },
  {
    file: /@azure[\\/]eventgrid[\\/].*[\\/]mappers\.js$/,
    before: /.*(export const EventGridEvent = \{.*?\n\};).*(export const CloudEvent = \{.*?\n\};).*/s,
    after: '$1 $2',
  },
  {
    file: /@azure[\\/]eventgrid[\\/]dist[\\/]esm[\\/]index\.js$/,
    before: /export \{ Known.*?from "\.\/generated\/models\/index\.js";/s,
    after: '',
  },
  // The client of tables reads XML only where a proxy answers, whose status is enough, and writes it only for settings
  // of the service. A parser of XML is 80 KiB.
  {
    file: /@azure[\\/]data-tables[\\/].*[\\/]Table(Service)?Client\.js$/,
    before: /import \{ parseXML, stringifyXML \} from "@azure\/core-xml";/,
    after: `const parseXML = async () => { throw new Error("This is an answer in XML, which no table sends."); };
      const stringifyXML = () => { throw new Error("Keyward sends no XML to tables."); };`,
  },
  // The parser of XML knows texts that are unsafe in SQL, in shells and in pages. It uses them for entities that a
  // document declares, and the Queue service declares none: each is blocked.
  {
    file: /fast-xml-parser[\\/]src[\\/]xmlparser[\\/]OrderedObjParser\.js$/,
    before: /import \{ isUnsafe, HTML as HTML_CONTEXT, XML as XML_CONTEXT \} from "is-unsafe"/,
    after: 'const isUnsafe = () => true; const HTML_CONTEXT = undefined; const XML_CONTEXT = undefined;',
  },
  // The agents of proxies write their steps to the console where DEBUG is set.
  {
    file: /node_modules[\\/]debug[\\/]src[\\/]index\.js$/,
    before: /.*/s,
    after: 'module.exports = () => () => undefined;',
  },
  // The checksum of blobs is 80 KiB of WebAssembly.
  {
    file: /@azure[\\/]storage-common[\\/].*[\\/]StorageCRC64Calculator\.js$/,
    before: /import NativeCRC64 from "\.\/crc64\.js";/,
    after: 'const NativeCRC64 = () => { throw new Error("Keyward writes no blobs."); };',
  },
  // The library of tokens compares the version of Node with 8, 15 and 16.
  {
    file: /jsonwebtoken[\\/]lib[\\/]\w+Supported\.js$/,
    before: /(const|var) semver.*/s,
    after: 'module.exports = true;',
  },
  // Sign-in of users: their flows, and a program that opens a browser.
  {
    file: /@azure[\\/]msal-\w+[\\/].*[\\/](AuthorizationCode|OnBehalfOf|RefreshToken|SilentFlow|UsernamePassword)Client\.mjs$/,
    before: /.*export \{ (\w+) \};.*/s,
    after: 'class $1 { constructor() { throw new Error("Keyward signs in no user."); } } export { $1 };',
  },
  {
    file: /@azure[\\/]identity[\\/].*[\\/]msalClient\.js$/,
    before: /new msal\.PublicClientApplication\((?=.*await import\("open"\))/s,
    after: 'new (class { constructor() { throw new Error("Keyward signs in no user."); } })(',
  },
  {
    file: /node_modules[\\/]open[\\/]index\.js$/,
    before: /.*/s,
    after: 'export default undefined;',
  },
];

const withoutUnused: Plugin = {
  name: 'without unused code',
  setup({ onLoad }) {
    for (const { file, before, after } of unused)
      onLoad({ filter: file }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        if (!before.test(source)) throw new Error(`${path} has changed: see whether its replacement is still needed.`);
        return { contents: source.replace(before, after) };
      });
  },
};

/**
 * The app loads an SDK when the first adapter that uses it is evaluated. A static import would load all SDKs with the
 * app.
 */
const lazySdks: Plugin = {
  name: 'lazy SDKs',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^\.\/sdk\/\w+\.js$/ }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /src[\\/]azure[\\/]sdk[\\/]\w+\.ts$/ }, async ({ path }) => {
      const exported = [...(await readFile(path, 'utf8')).matchAll(/export \{([^}]+)\}/g)].flatMap(([, names = '']) =>
        names.split(','),
      );
      const values = exported.map((name) => name.trim()).filter((name) => name !== '' && !name.startsWith('type '));
      const file = `./sdk/${basename(path, '.ts')}.js`;
      return { contents: `const sdk = await import('${file}'); export const { ${values.join(', ')} } = sdk;` };
    });
  },
};

/** Registration imports the app with the first call. */
const lazyApp: Plugin = {
  name: 'lazy app',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/app\.ts$/ }, () => ({ path: '../app.js', external: true }));
  },
};

/**
 * The namespace of `node:http` as an ES module reads its lazy parts, and so loads undici and HTTP/2: 40 ms of CPU time
 * that a process pays with its first call. `require` reads none of them.
 */
const httpByRequire: Plugin = {
  name: 'http by require',
  setup({ onLoad, onResolve }) {
    const namespace = 'required';
    onResolve({ filter: /^(node:)?http$/ }, ({ path, kind, namespace: from }) =>
      // `import()` of a part of the build has no named exports. It stays Node's.
      from === namespace || kind === 'dynamic-import' ? { path, external: true } : { path, namespace },
    );
    onLoad({ filter: /./, namespace }, ({ path }) => ({ contents: `module.exports = require('${path}');` }));
  },
};

const routesAsText: Plugin = {
  name: 'routes as text',
  setup({ onLoad }) {
    const contents = `export const registeredRoutes = ${JSON.stringify(registeredRoutes)};`;
    onLoad({ filter: /src[\\/]functions[\\/]registered\.ts$/ }, () => ({ contents }));
  },
};

export const common = {
  absWorkingDir: import.meta.dirname,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  minify: true,
  sourcemap: true,
  legalComments: 'none',
  external: ['@azure/functions-core'],
  // CommonJS dependencies call require() for Node's own modules; an ES module has none unless it makes one.
  banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  logLevel: 'warning',
  metafile: true,
} as const satisfies BuildOptions;

/** Returns the written files. */
export async function buildApp(outdir: string): Promise<Metafile['outputs']> {
  const built = await Promise.all([
    build({
      ...common,
      outdir,
      plugins: [lazyApp, routesAsText],
      entryPoints: { 'functions/index': 'src/functions/index.ts' },
    }),
    build({
      ...common,
      outdir,
      plugins: [lazySdks],
      entryPoints: { app: 'src/functions/app.ts' },
    }),
    build({
      ...common,
      outdir: `${outdir}/sdk`,
      plugins: [withoutUnused, httpByRequire],
      entryPoints: ['src/azure/sdk/*.ts'],
      splitting: true,
    }),
  ]);
  return Object.assign({}, ...built.map(({ metafile }) => metafile.outputs));
}

if (import.meta.main) {
  await rm('dist', { recursive: true, force: true });
  await Promise.all([buildApp('dist'), buildConsole()]);
}
