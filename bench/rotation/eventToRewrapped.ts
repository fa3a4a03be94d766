/**
 * The time from the event's POST to the saved re-wrap of one account, with the shipped host.json: the median of 20. The
 * record is read until it names the new version, and the time of that read counts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../src/core/service.ts';
import { postNewVersionEvent, startProcesses } from '../processes.ts';
import type { Bench } from '../report.ts';
import { seedAccounts } from '../seed.ts';
import { median } from '../timing.ts';

const times = 20;
const giveUpMs = 60_000;

const eventToRewrapped: Bench = async (report) => {
  const processes = await startProcesses();
  try {
    const { keyVault, service } = processes;
    const host = await processes.host();
    const seconds: number[] = [];
    for (let n = 0; n < times; n++) {
      const vault = `event-${n}`;
      await seedAccounts([vault], await processes.vaultWithKey(vault, { size: 2048 }), service);
      const before = await versionOf(vault, service);
      await keyVault('POST', `/vaults/${vault}/keys/cmk/rotate`);
      // A pause of a different length each time, so that the event arrives in every phase of polling.
      await sleep(2_000 + 137 * n);
      const began = performance.now();
      await postNewVersionEvent(vault, host);
      while ((await versionOf(vault, service)) === before) {
        if (performance.now() - began > giveUpMs) throw new Error(`${vault} was not re-wrapped.`);
        await sleep(20);
      }
      seconds.push((performance.now() - began) / 1000);
      report.progress(`rotation: event ${n + 1} of ${times}: ${seconds.at(-1)?.toFixed(2)} s`);
    }
    report.figure('rotation.eventToRewrappedSeconds', median(seconds), 's', { atMost: 3 });
  } finally {
    await processes.stop();
  }
};

async function versionOf(name: string, { accounts }: Service): Promise<string> {
  const stored = await accounts.read(name);
  const encryption = stored?.value.lifecycle === 'active' ? stored.value.encryption : undefined;
  return encryption?.type === 'CustomerKey' ? encryption.version : '';
}

export default eventToRewrapped;
