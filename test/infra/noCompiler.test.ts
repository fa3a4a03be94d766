/** `npm run infra` on a machine that has no Bicep compiler and no way to get one. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('npm run infra fails without a compiler, and prints the three ways to get one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-no-compiler-'));
  try {
    // A copy, because this project may have a compiler in its cache. The rest is this project.
    mkdirSync(join(folder, 'infra'));
    cpSync(join(root, 'infra/check'), join(folder, 'infra/check'), { recursive: true });
    for (const name of ['src', 'test', 'package.json']) symlinkSync(join(root, name), join(folder, name));
    const env = { PATH: folder, HOME: folder };
    const [code, stderr] = await new Promise<[unknown, string]>((resolve) => {
      execFile(process.execPath, [join(folder, 'infra/check/main.ts')], { env }, (error, _, text) =>
        resolve([error?.code, text]),
      );
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^No Bicep compiler\. Install the \.NET SDK, put bicep \d+\.\d+\.\d+ on PATH, or run: az bicep install$/m,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
