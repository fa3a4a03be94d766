/** Builds the app in each way that the bench compares, in build/startup/. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { buildApp, common } from '../../build.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = `${root}build/startup`;
const entry = `${root}src/functions/index.ts`;

const emptyApp = `import { app } from '@azure/functions';
app.setup({ enableHttpStream: true });
app.http('accountsGet', { route: 'accounts/{accountName}', handler: async () => ({ status: 404, jsonBody: {} }) });
app.http('healthLive', { route: 'health/live', handler: async () => ({ status: 200, jsonBody: {} }) });
app.timer('sweep', { schedule: '0 * * * * *', handler: async () => undefined });
`;

export interface Variants {
  /** The minimum of every app with this library: `@azure/functions`, as it is published. */
  readonly floor: string;
  /** The smallest app with a GET, a liveness probe and a timer: their handlers only return. */
  readonly empty: string;
  /** The deployed app. */
  readonly bundled: string;
  /**
   * The app from its sources: every package from node_modules, and the route table itself instead of the list of
   * build.ts.
   */
  readonly unbundled: string;
  /** One file that loads everything at once, also the modules that the app loads on first use. */
  readonly eager: string;
  /** The program that loads one of them. */
  readonly loader: string;
  /** All files of the deployed app, without source maps. */
  readonly bundleBytes: number;
}

export async function buildVariants(): Promise<Variants> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const floor = `${folder}/floor.js`;
  await writeFile(floor, "import '@azure/functions';\n");
  const empty = `${folder}/empty.js`;
  await writeFile(empty, emptyApp);
  const outputs = await buildApp(`${folder}/bundled`);
  const ofSources = {
    ...common,
    entryPoints: { 'functions/index': entry },
    minify: false,
    banner: {},
    splitting: true,
  };
  const { metafile } = await build({
    ...ofSources,
    outdir: `${folder}/unbundled`,
    packages: 'external',
    external: [],
    metafile: true,
  });
  const everything = [...onFirstUse(metafile), entry].map((path) => `import ${JSON.stringify(path)};`).join('\n');
  await writeFile(`${folder}/eager.ts`, everything);
  await build({ ...common, entryPoints: [`${folder}/eager.ts`], outdir: folder });
  const loader = `${folder}/load.js`;
  await build({
    entryPoints: [`${root}bench/startup/load.ts`],
    outfile: loader,
    bundle: true,
    format: 'esm',
    platform: 'node',
  });
  const index = 'functions/index.js';
  const files = Object.entries(outputs).filter(([path]) => path.endsWith('.js'));
  return {
    floor,
    empty,
    loader,
    bundled: `${folder}/bundled/${index}`,
    unbundled: `${folder}/unbundled/${index}`,
    eager: `${folder}/eager.js`,
    bundleBytes: files.reduce((sum, [, { bytes }]) => sum + bytes, 0),
  };
}

/** The files that an `import()` of Keyward names. */
function onFirstUse({ inputs }: Metafile): string[] {
  const ours = Object.entries(inputs).filter(([path]) => path.startsWith('src/'));
  const named = ours.flatMap(([, { imports }]) => imports.filter(({ kind }) => kind === 'dynamic-import'));
  return [...new Set(named.map(({ path }) => `${root}${path}`))];
}
