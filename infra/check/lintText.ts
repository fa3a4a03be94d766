/**
 * Compiles a Bicep text that no file holds. Returns the errors and warnings of the compiler and its linter; empty:
 * none.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Compiler } from './compiler.ts';

/** Below infra, so that bicepconfig.json applies, and ignored by git. */
const folder = fileURLToPath(new URL('../build/', import.meta.url));

export async function lintText(text: string, compiler: Compiler): Promise<string> {
  await mkdir(folder, { recursive: true });
  const own = await mkdtemp(join(folder, 'text-'));
  try {
    const path = join(own, 'text.bicep');
    await writeFile(path, text);
    const { isSuccess, stderr } = await compiler.run('lint', path);
    return stderr.trim() || (isSuccess ? '' : 'The compiler failed.');
  } finally {
    await rm(own, { recursive: true });
  }
}
