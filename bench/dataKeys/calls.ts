/**
 * Calls on data keys over HTTP, warm: a hundred keys beside one, calls to the vault, and a key status beside GET of the
 * account.
 */
import type { Bench } from '../report.ts';
import { median, timed } from '../timing.ts';
import { account, vault, withDataKeys } from './stack.ts';

const rounds = 61;

const calls: Bench = (report) =>
  withDataKeys(async ({ stack, api }) => {
    const timeOf = (method: string, path: string, body?: unknown): Promise<number> =>
      timed(async () => {
        const { status } = await api(method, path, body);
        if (status !== 200) throw new Error(`${method} ${path} answered ${status}.`);
      });
    const vaultCalls = async (): Promise<number> =>
      (await stack.keyVault<{ requests: unknown[] }>('GET', `/requests?vault=${vault}`)).requests.length;
    const generate = (count: number) => timeOf('POST', `/api/accounts/${account}/dataKeys/generate`, { count });
    const status = () => timeOf('GET', `/api/accounts/${account}/keyStatus`);
    const get = () => timeOf('GET', `/api/accounts/${account}`);
    for (let n = 0; n < 20; n++) for (const warm of [() => generate(1), () => generate(100), status, get]) await warm();

    report.progress('a hundred data keys beside one, and a key status beside GET of the account');
    const before = await vaultCalls();
    const times = { one: [] as number[], hundred: [] as number[], status: [] as number[], get: [] as number[] };
    for (let n = 0; n < rounds; n++) {
      times.one.push(await generate(1));
      times.hundred.push(await generate(100));
      times.status.push(await status());
      times.get.push(await get());
    }
    report.progress(
      `one ${median(times.one).toFixed(1)} ms, a hundred ${median(times.hundred).toFixed(1)} ms, status ${median(times.status).toFixed(1)} ms, GET ${median(times.get).toFixed(1)} ms`,
    );
    report.figure('dataKeys.generate100VsOne', median(times.hundred) / median(times.one), 'times one', { atMost: 5 });
    report.figure('dataKeys.keyVaultCallsWarm', (await vaultCalls()) - before, 'calls', { exactly: 0 });
    report.figure('keyStatus.costOfGetAccount', median(times.status) / median(times.get), 'of GET', { atMost: 1 });
  });

export default calls;
