/**
 * Builds the console into dist/console. Its sources change less often than the app is built, so the files of the last
 * build are held by a hash of everything that they are made of.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { cp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));

export async function buildConsole(target = join(root, 'dist/console')): Promise<void> {
  if (!existsSync(join(root, 'node_modules/@fluentui/react-components'))) {
    console.error('The console is not built, because its packages are not installed. Run `npm ci`.');
    return;
  }
  const built = join(root, 'node_modules/.cache/console', await hashOfSources());
  if (!existsSync(built)) {
    const { build } = await import('vite');
    const outDir = `${built}.${process.pid}`;
    await build({ configFile: join(here, 'vite.config.ts'), build: { outDir, emptyOutDir: true } });
    // Another process can have built the same files at the same time.
    await rename(outDir, built).catch(() => rm(outDir, { recursive: true, force: true }));
  }
  await cp(built, target, { recursive: true });
}

/** The sources, and the lock of what they are bundled with. */
async function hashOfSources(): Promise<string> {
  const sources = ['console/{src,public}/**/*.*', 'console/*.{html,ts,json}', 'package-lock.json'];
  const paths = globSync(sources, { cwd: root }).toSorted();
  const hash = createHash('sha256');
  for (const path of paths) hash.update(`${path}\n`).update(await readFile(join(root, path)));
  return hash.digest('hex').slice(0, 32);
}
