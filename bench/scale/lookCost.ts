/**
 * Table transactions for each look at a healthy key, over half an hour of sweeps with everything that they bring: pages
 * and states of the ranges, version checks, and the renewal of samples. One range, so that its own cost is spread over
 * as many keys as in a large service.
 */
import type { Bench } from '../report.ts';
import { seedVaults } from './seedVaults.ts';
import { sweepOnce } from './sweepOnce.ts';
import { startWorld } from './world.ts';

const vaults = 200;
const sweeps = 32;
const minuteMs = 60_000;

const lookCost: Bench = async ({ figure, progress }) => {
  const world = await startWorld({ KEYWARD_SWEEP_RANGES: '1' });
  await seedVaults(vaults, world);
  // Not counted: the first look at each key.
  world.forward(minuteMs);
  await sweepOnce(world);
  const before = { requests: world.tableRequests(), unwraps: world.keyVault.unwraps };
  const cpu = process.cpuUsage();
  for (let n = 1; n <= sweeps; n++) {
    world.forward(minuteMs);
    await sweepOnce(world);
    progress(`look cost: sweep ${n} of ${sweeps} over ${vaults} keys`);
  }
  const looks = world.keyVault.unwraps - before.unwraps;
  if (looks !== vaults * sweeps) throw new Error(`${looks} looks instead of ${vaults * sweeps}.`);
  const { user, system } = process.cpuUsage(cpu);
  const ms = ((user + system) / 1000 / looks).toFixed(2);
  progress(`look cost: ${ms} ms of processor time a check, with the tables and the vault in this process`);
  figure('scale.transactionsPerKeyLook', (world.tableRequests() - before.requests) / looks, 'transactions', {
    atMost: 2.5,
  });
};

export default lookCost;
