/** Builds the app in each way that the bench compares, in build/startup/. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { bundle } from '../../build.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = `${root}build/startup`;
const entry = `${root}${bundle.entryPoints['functions/index']}`;

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
  /** All chunks of the deployed app, without source maps. */
  readonly bundleBytes: number;
}

export async function buildVariants(): Promise<Variants> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const floor = `${folder}/floor.js`;
  await writeFile(floor, "import '@azure/functions';\n");
  const empty = `${folder}/empty.js`;
  await writeFile(empty, emptyApp);
  const shared = { ...bundle, absWorkingDir: root };
  const { metafile } = await build({ ...shared, outdir: `${folder}/bundled`, metafile: true });
  await build({
    ...shared,
    outdir: `${folder}/unbundled`,
    packages: 'external',
    external: [],
    minify: false,
    banner: {},
    define: {},
  });
  const everything = [...onFirstUse(metafile), entry].map((path) => `import ${JSON.stringify(path)};`).join('\n');
  await writeFile(`${folder}/eager.ts`, everything);
  await build({ ...shared, entryPoints: [`${folder}/eager.ts`], outdir: folder, splitting: false });
  const loader = `${folder}/load.js`;
  await build({
    entryPoints: [`${root}bench/startup/load.ts`],
    outfile: loader,
    bundle: true,
    format: 'esm',
    platform: 'node',
  });
  const index = 'functions/index.js';
  const chunks = Object.entries(metafile.outputs).filter(([path]) => path.endsWith('.js'));
  return {
    floor,
    empty,
    loader,
    bundled: `${folder}/bundled/${index}`,
    unbundled: `${folder}/unbundled/${index}`,
    eager: `${folder}/eager.js`,
    bundleBytes: chunks.reduce((sum, [, { bytes }]) => sum + bytes, 0),
  };
}

/** The files that an `import()` of Keyward names. */
function onFirstUse({ inputs }: Metafile): string[] {
  const ours = Object.entries(inputs).filter(([path]) => path.startsWith('src/'));
  const named = ours.flatMap(([, { imports }]) => imports.filter(({ kind }) => kind === 'dynamic-import'));
  return [...new Set(named.map(({ path }) => `${root}${path}`))];
}
