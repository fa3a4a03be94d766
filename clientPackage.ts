/**
 * `npm run package`: build/client, the package @keyward/client as a service installs it, and build/keyward-client.tgz.
 * The repository runs the client's TypeScript itself; Node.js runs no TypeScript below node_modules, so the package
 * holds JavaScript and declarations.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('.', import.meta.url));
const source = join(root, 'packages/client');
const run = promisify(execFile);

/** The folder of the package. */
export async function buildClient(folder = join(root, 'build/client')): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const tsc = join(root, 'node_modules/.bin/tsc');
  await run(tsc, ['-p', join(source, 'tsconfig.package.json'), '--outDir', join(folder, 'dist')]);
  const copies = [
    [join(source, 'src/generated'), 'dist/generated'],
    [join(source, 'vectors/messages.json'), 'vectors/messages.json'],
    [join(source, 'README.md'), 'README.md'],
    [join(source, 'FORMAT.md'), 'FORMAT.md'],
    [join(root, 'LICENSE'), 'LICENSE'],
  ] as const;
  for (const [from, to] of copies) await cp(from, join(folder, to), { recursive: true });
  await writeFile(join(folder, 'package.json'), await packageJson());
  return folder;
}

async function packageJson(): Promise<string> {
  const all = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { private: _, devDependencies: __, files: ___, ...kept } = all;
  const exports = { '.': { types: './dist/index.d.ts', default: './dist/index.js' } };
  return `${JSON.stringify({ ...kept, exports }, null, 2)}\n`;
}

/** All JavaScript of the package, file after file. */
export async function javaScriptOf(folder: string): Promise<Buffer> {
  const names = (await readdir(join(folder, 'dist'))).filter((name) => name.endsWith('.js'));
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, 'dist', name)))));
}

if (import.meta.main) {
  const folder = await buildClient();
  const { stdout } = await run('npm', ['pack', folder, '--json', '--pack-destination', join(root, 'build')]);
  const packed = JSON.parse(stdout) as
    | readonly { filename: string; size: number }[]
    | Record<string, { filename: string; size: number }>;
  const [one] = Object.values(packed);
  if (one === undefined) throw new Error('npm packed nothing.');
  await rename(join(root, 'build', one.filename), join(root, 'build/keyward-client.tgz'));
  const kib = (bytes: number) => (bytes / 1024).toFixed(1);
  console.log(
    `build/keyward-client.tgz: ${kib(one.size)} KiB, JavaScript ${kib((await javaScriptOf(folder)).length)} KiB`,
  );
}
