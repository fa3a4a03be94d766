/**
 * `npm run package`: build/keyward.zip, which is all that Azure needs, its SHA-256 beside it, and the same files
 * unpacked in build/package for `azd`. Files of one build always give the same bytes. Source maps stay in dist/: they
 * are five times the app, and a cold start would fetch them too.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zipSync } from 'fflate';

const root = fileURLToPath(new URL('.', import.meta.url));
/** The zip format has no time zone and begins in 1980. */
const noTime = new Date(1980, 0, 1);

export type Files = Readonly<Record<string, Uint8Array>>;

/**
 * The files by path: host.json and package.json at the root, where the Functions host reads them, the chunks and the
 * console.
 */
export async function packageFiles(): Promise<Files> {
  const inDist = await readdir(join(root, 'dist'), { recursive: true, withFileTypes: true });
  const built = inDist
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .filter((path) => path.endsWith('.js') || path.startsWith('dist/console/'));
  if (!built.includes('dist/console/index.html'))
    throw new Error('dist/ has no console. Run `npm ci`, then build again.');
  const files = await Promise.all(
    ['host.json', 'LICENSE', ...built].map(async (path) => [path, await readFile(join(root, path))] as const),
  );
  const all = [...files, ['package.json', await reducedPackageJson()] as const];
  return Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The bundle holds everything, so the package names no dependencies to install and no scripts to run. */
async function reducedPackageJson(): Promise<Uint8Array> {
  const { name, version, license, type, main, engines } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  ) as Record<string, unknown>;
  return Buffer.from(`${JSON.stringify({ name, version, license, private: true, type, main, engines }, null, 2)}\n`);
}

export const zipOf = (files: Files): Uint8Array => zipSync(files, { level: 9, mtime: noTime });

if (import.meta.main) {
  const files = await packageFiles();
  const zip = zipOf(files);
  const folder = join(root, 'build/package');
  await rm(folder, { recursive: true, force: true });
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  const sha256 = createHash('sha256').update(zip).digest('hex');
  await writeFile(join(root, 'build/keyward.zip'), zip);
  // The form of sha256sum, which checks it: cd build && sha256sum --check keyward.zip.sha256
  await writeFile(join(root, 'build/keyward.zip.sha256'), `${sha256}  keyward.zip\n`);
  console.log(contentsOf(files));
  console.log(`\nbuild/keyward.zip: ${kib(zip.length)} KiB, SHA-256 ${sha256}`);
}

/** Every file but the many small chunks, which are counted. */
function contentsOf(files: Files): string {
  const isConsole = (path: string) => path.startsWith('dist/console/');
  const isChunk = (path: string) => path.startsWith('dist/') && path !== 'dist/functions/index.js' && !isConsole(path);
  const named = Object.entries(files).filter(([path]) => !isChunk(path) && !isConsole(path));
  const those = (are: (path: string) => boolean) => Object.entries(files).filter(([path]) => are(path));
  const bytesOf = (some: readonly [string, Uint8Array][]) => some.reduce((sum, [, { length }]) => sum + length, 0);
  const [chunks, page] = [those(isChunk), those(isConsole)];
  const rows = [
    ...named.map(([path, { length }]) => [path, length] as const),
    [`dist/: ${chunks.length} chunks`, bytesOf(chunks)] as const,
    [`dist/console/: ${page.length} files`, bytesOf(page)] as const,
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, length]) => `${name.padEnd(width)}  ${kib(length).padStart(7)} KiB`).join('\n');
}

function kib(bytes: number): string {
  return (bytes / 1024).toFixed(1);
}
