import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { HOME } from './support.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

function run(options: unknown) {
  const child = spawn(process.execPath, [main, JSON.stringify(options)], { stdio: 'pipe' });
  const firstOf = async (stream: typeof child.stdout) => ((await once(createInterface(stream), 'line')) as [string])[0];
  return {
    child,
    exited: once(child, 'exit'),
    line: () => firstOf(child.stdout),
    complaint: () => firstOf(child.stderr),
  };
}

it.each([
  ['its stdin closes', (child: ReturnType<typeof run>['child']) => child.stdin.end()],
  ['it receives SIGTERM', (child: ReturnType<typeof run>['child']) => child.kill('SIGTERM')],
])('the process prints its URL, answers, and exits when %s', async (_when, end) => {
  const { child, exited, line } = run({ tenants: [{ tenantId: HOME }], identityHeader: 'secret' });
  const { url, environment } = JSON.parse(await line()) as { url: string; environment: Record<string, string> };
  expect(environment).toEqual({ IDENTITY_ENDPOINT: `${url}/msi/token`, IDENTITY_HEADER: 'secret' });
  expect(await (await fetch(`${url}/control/tenants`)).json()).toMatchObject([{ tenantId: HOME }]);
  end(child);
  expect(await exited).toEqual([0, null]);
});

it('the process names the error in its argument and exits with 1', async () => {
  const { exited, complaint } = run({ tenant: [] });
  expect(await complaint()).toMatch(/JSON argument is not valid/);
  expect(await exited).toEqual([1, null]);
});
