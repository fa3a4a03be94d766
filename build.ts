/**
 * Builds the app that the Functions host loads: code-split ESM in dist/, each SDK in a chunk of its own behind
 * `import()`, so that a cold start pays for what it uses. `@azure/functions-core` exists only inside the host's worker. The console's
 * files are beside the chunks.
 */
import { readFile, rm } from 'node:fs/promises';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { buildConsole } from './console/build.ts';
import { defined } from './src/core/base/defined.ts';
import { routes } from './src/functions/routes.ts';

/** What registration needs of the route table. The bundle has it as text and loads the table with the first call. */
const builtRoutes = routes.map(({ name, method, path, scope, bearerOnly }) => ({
  ...{ name, method, path, scope },
  ...defined({ bearerOnly }),
}));

/**
 * The client of Event Grid knows the mappers of every event that Azure sends, and publishing a CloudEvent needs one. They are a tenth of the
 * bundle, and esbuild cannot know.
 */
const onlyCloudEvents: Plugin = {
  name: 'only-cloud-events',
  setup({ onLoad }) {
    const all = 'import * as Mappers from "./models/mappers.js";';
    const one = 'import { CloudEvent } from "./models/mappers.js"; const Mappers = { CloudEvent };';
    onLoad({ filter: /@azure[\\/]eventgrid[\\/].*[\\/]generatedClient\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      if (!source.includes(all)) throw new Error(`${path} has changed: see whether onlyCloudEvents is still needed.`);
      return { contents: source.replace(all, one) };
    });
  },
};

export const bundle = {
  entryPoints: { 'functions/index': 'src/functions/index.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  minify: true,
  sourcemap: true,
  legalComments: 'none',
  external: ['@azure/functions-core'],
  plugins: [onlyCloudEvents],
  define: { BUILT_ROUTES: JSON.stringify(builtRoutes) },
  // CommonJS dependencies call require() for Node's own modules; an ES module has none unless it makes one.
  banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  logLevel: 'warning',
} as const satisfies BuildOptions;

if (import.meta.main) {
  await rm('dist', { recursive: true, force: true });
  await Promise.all([build(bundle), buildConsole()]);
}
