/**
 * The same service with 200, 20,000 and 100,000 vaults, each with a key and an account. What must not grow: the timer's
 * requests and memory, and the requests of a readiness probe. Then one sweep over the 100,000: every key is looked at,
 * and its requests are counted. A sweep has a minute, so they are the transactions of a minute. One storage account
 * takes 20,000 a second ("Scalability and performance targets for standard storage accounts").
 */
import { countKeys } from '../../src/core/health.ts';
import { timedSweep } from '../../src/core/vaultWork/sweep.ts';
import type { Bench } from '../report.ts';
import { heapInUse } from './heap.ts';
import { seedVaults } from './seedVaults.ts';
import { sweepOnce } from './sweepOnce.ts';
import { startWorld, type World } from './world.ts';

const [few, many, full] = [200, 20_000, 100_000];
const step = 20_000;
const quota = 20_000;
const minuteMs = 60_000;

const fullSize: Bench = async ({ figure, progress }) => {
  const world = await startWorld();
  await world.service.rings();
  const empty = heapInUse();
  await seedVaults(few, world);
  world.forward(minuteMs);
  await sweepOnce(world);
  const [fewSent, fewProbe] = [await sentBy(world, empty), await probeOf(world)];
  await seedVaults(many - few, world, few);
  const manySent = await sentBy(world, empty);
  progress(`full size: the timer sends ${fewSent.requests} and ${manySent.requests} requests`);
  figure('scale.sweepGrowth', manySent.requests / fewSent.requests, 'times', { atMost: 1.1 });
  figure('scale.sweepMemoryGrowth', manySent.heap / fewSent.heap, 'times', { atMost: 1.1 });
  for (let n = many; n < full; n += step) {
    await seedVaults(step, world, n);
    progress(`full size: ${n + step} of ${full} vaults written`);
  }

  world.forward(minuteMs);
  const before = { requests: world.tableRequests(), unwraps: world.keyVault.unwraps };
  const messages = await sweepOnce(world, (handled) => {
    const looks = world.keyVault.unwraps - before.unwraps;
    progress(`full size: ${handled} messages handled, ${looks} keys looked at`);
  });
  const looks = world.keyVault.unwraps - before.unwraps;
  const aSecond = (world.tableRequests() - before.requests) / 60;
  progress(
    `full size: ${looks} looks by ${messages} messages; ${Math.round(aSecond)} transactions/s, ` +
      `${((100 * aSecond) / quota).toFixed(1)} % of the ${quota} of one storage account, ` +
      `so ${Math.ceil(aSecond / quota)} storage account(s)`,
  );
  figure('scale.readinessGrowth', (await probeOf(world)) / fewProbe, 'times', { atMost: 1.1 });
  figure('scale.keysLookedAt', looks, 'keys', { exactly: full });
  figure('scale.transactionsPerSecond', aSecond, 'a second', { atMost: quota });
};

/** Table requests and messages of the timer, and what the process holds beside the tables at its last message. */
async function sentBy({ service, tableRequests }: World, empty: number): Promise<{ requests: number; heap: number }> {
  const [before, tables] = [tableRequests(), heapInUse()];
  let [sent, most] = [0, 0];
  const queue = {
    async send() {
      sent += 1;
      if (sent === service.policy.sweepRanges) most = heapInUse();
    },
  };
  await timedSweep({ ...service, queue });
  return { requests: sent + tableRequests() - before, heap: empty + Math.max(0, most - tables) };
}

/** Table requests of the part of a readiness probe that is about keys. */
async function probeOf({ service, tableRequests }: World): Promise<number> {
  const before = tableRequests();
  if ((await countKeys(service))?.isComplete !== true) throw new Error('The sweeps have left no counts.');
  return tableRequests() - before;
}

export default fullSize;
