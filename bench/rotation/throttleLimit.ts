/**
 * The part of a vault's limit that a rotation uses: calls per second that the vault served, divided by its documented
 * limit (RSA-3072 in software, 100 a second, a bucket of one second), from the first call after the event to the last.
 * First one host with the whole limit as its share, then two hosts with the default share, which together must not
 * exceed it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Processes, postNewVersionEvent, startProcesses } from '../processes.ts';
import type { Bench, Report } from '../report.ts';
import { seedAccounts } from '../seed.ts';
import { namesOf } from './measure.ts';

const accounts = 1_000;
const limitPerSecond = 100;
const giveUpMs = 240_000;

const throttleLimit: Bench = async (report) => {
  const processes = await startProcesses();
  try {
    const alone = await measure('limit-alone', 1, '100', processes, report);
    report.figure('rotation.ofThrottleLimit', alone, 'of the limit', { atLeast: 0.9 });
    const shared = await measure('limit-shared', 2, '25', processes, report);
    report.figure('rotation.ofThrottleLimit.twoHosts', shared, 'of the limit', { atLeast: 0.2 });
    report.figure('rotation.ofThrottleLimit.twoHostsAtMost', shared, 'of the limit', { atMost: 0.25 });
  } finally {
    await processes.stop();
  }
};

async function measure(
  vault: string,
  hosts: number,
  sharePercent: string,
  processes: Processes,
  report: Report,
): Promise<number> {
  const { keyVault, service } = processes;
  report.progress(`rotation: ${accounts} accounts for ${vault}`);
  const key = await processes.vaultWithKey(vault, { size: 3072 });
  await seedAccounts(namesOf(vault, accounts), key, service);
  const running = [];
  for (let n = 0; n < hosts; n++) running.push(await processes.host({ KEYWARD_VAULT_SHARE_PERCENT: sharePercent }));
  await keyVault('PATCH', `/vaults/${vault}`, { throttle: { enabled: true, burstSeconds: 1 } });
  await keyVault('POST', `/vaults/${vault}/keys/cmk/rotate`);
  await sleep(2_000);
  await keyVault('DELETE', '/requests');
  for (const host of running) await postNewVersionEvent(vault, host);
  const share = await servedShare(vault, processes, report);
  for (const host of running) await host.stop();
  return share;
}

interface Requests {
  readonly requests: readonly { readonly at: string; readonly status: number | string; readonly operation: string }[];
}

/** Waits until the vault has served two unwraps for each account, and the looks. */
async function servedShare(vault: string, { keyVault }: Processes, report: Report): Promise<number> {
  const began = performance.now();
  for (;;) {
    await sleep(1_000);
    const { requests } = await keyVault<Requests>('GET', `/requests?vault=${vault}`);
    const served = requests.filter(({ status }) => status === 200);
    const throttled = requests.filter(({ status }) => status === 429).length;
    report.progress(`rotation: ${served.length} calls served, ${throttled} throttled`);
    const isOver = served.length >= 2 * accounts;
    if (performance.now() - began > giveUpMs) throw new Error(`${served.length} calls in ${giveUpMs / 1000} s`);
    if (!isOver) continue;
    const unwraps = served.filter(({ operation }) => operation === 'unwrapkey').map(({ at }) => Date.parse(at));
    const seconds = (Math.max(...unwraps) - Math.min(...unwraps)) / 1000;
    report.progress(`rotation: ${served.length} calls in ${seconds} s`);
    return (served.length - 1) / seconds / limitPerSecond;
  }
}

export default throttleLimit;
