/** The package as a service installs it: built, compiled against, and run. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildClient, javaScriptOf } from '../../../clientPackage.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const text = (path: string) => readFile(join(root, path), 'utf8');

/** Of a service: below the repository, so that it finds @azure/identity, and with the built client. */
let service = '';
let built = '';

beforeAll(async () => {
  await mkdir(join(root, 'build'), { recursive: true });
  service = await mkdtemp(join(root, 'build/service-'));
  built = await buildClient(join(service, 'client'));
  await mkdir(join(service, 'node_modules/@keyward'), { recursive: true });
  await symlink(built, join(service, 'node_modules/@keyward/client'));
  await writeFile(join(service, 'package.json'), '{"type": "module"}');
});
afterAll(() => rm(service, { recursive: true, force: true }));

describe('the package @keyward/client', () => {
  test('the package @keyward/client is as large as its README says, to 1 KiB', async () => {
    const [, plain, compressed] =
      /(\d+) KiB of JavaScript \((\d+) KiB compressed\)/.exec(await text('packages/client/README.md')) ?? [];
    const files = await javaScriptOf(built);
    expect(Math.abs(files.length / 1024 - Number(plain))).toBeLessThanOrEqual(1);
    expect(Math.abs(gzipSync(files, { level: 9 }).length / 1024 - Number(compressed))).toBeLessThanOrEqual(1);
  });

  test('the package @keyward/client imports nothing at run time but modules of Node.js and, where it is there, @opentelemetry/api', async () => {
    const files = (await javaScriptOf(built)).toString();
    const imported = [...files.matchAll(/from '([^.'][^']*)'|import\('([^']+)'\)/g)].map(([, a, b]) => a ?? b ?? '');
    expect(imported.filter((name) => !name.startsWith('node:'))).toEqual(['@opentelemetry/api']);
  });

  test('the package @keyward/client has declarations that the service in docs/use-from-your-service.md compiles against, and JavaScript that Node.js runs', async () => {
    const [, code = ''] = /```ts\n(.*?)```/s.exec(await text('docs/use-from-your-service.md')) ?? [];
    expect(code.split('\n').length).toBeLessThanOrEqual(60);
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2022',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['node'],
    };
    await writeFile(join(service, 'service.ts'), code);
    await writeFile(join(service, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['service.ts'] }));
    await run(join(root, 'node_modules/.bin/tsc'), ['-p', service]);
    const script = "import { KeywardClient } from '@keyward/client'; console.log(typeof KeywardClient)";
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: service });
    expect(stdout).toBe('function\n');
  });
});
