/**
 * Messages to vaults on the real clock: 2,000 healthy vaults, a sweep a minute, and workers that take the time that
 * they take. A wake time that is computed from the begin of a look lies before one that is computed at its end, so a
 * clock that stands still would hide messages.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from '../report.ts';
import { seedVaults } from './seedVaults.ts';
import { sweepOnce } from './sweepOnce.ts';
import { startWorld } from './world.ts';

const vaults = 2_000;
const minutes = 2;
const warmUps = 5;
const minuteMs = 60_000;

const messages: Bench = async ({ figure, progress }) => {
  const world = await startWorld();
  await seedVaults(vaults, world);
  world.forward(minuteMs);
  // Until every key had its check of the latest version: from then on its time is that of a sweep.
  for (let warmUp = 1; warmUp <= warmUps; warmUp++) {
    const beganAt = performance.now();
    await sweepOnce(world);
    world.forward(Math.max(0, minuteMs - (performance.now() - beganAt)));
    progress(`messages: sweep ${warmUp} of ${warmUps} before the count`);
  }
  let handled = 0;
  const looks = world.keyVault.unwraps;
  for (let minute = 1; minute <= minutes; minute++) {
    const nextAt = performance.now() + minuteMs;
    progress(`messages: minute ${minute} of ${minutes} on the real clock, ${vaults} vaults`);
    handled += await sweepOnce(world);
    if (minute < minutes) await sleep(Math.max(0, nextAt - performance.now()));
  }
  const seen = world.keyVault.unwraps - looks;
  if (seen < vaults * (minutes - 1)) throw new Error(`${seen} looks in ${minutes} minutes.`);
  figure('scale.messagesPerVaultMinute', handled / vaults / minutes, 'messages', { atMost: 0.05 });
};

export default messages;
