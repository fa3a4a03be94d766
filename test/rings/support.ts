/**
 * The parts that tests of the rings share: sweeps and the daily queue in virtual time, and short ways to read what is
 * stored.
 */

import type { RingName } from '../../src/core/base/vocabulary.ts';
import type { DailyWork } from '../../src/core/dailyPass.ts';
import { workOnPass } from '../../src/core/reseal/resealPass.ts';
import { lookAtOperatorKeys, maintainRings } from '../../src/core/rings/maintainRings.ts';
import type { Rings } from '../../src/core/rings/ring.ts';
import { requestRotation } from '../../src/core/rings/rotateRing.ts';
import type { StoredRing } from '../../src/core/rings/storedRing.ts';
import { rekeySecrets } from '../../src/core/secrets/rekeySecrets.ts';
import type { Service } from '../../src/core/service.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { type Lab, tester } from '../../src/local/lab/lab.ts';
import { createVirtualQueue, type VirtualQueue } from '../../src/local/lab/virtualTime.ts';
import { operatorVault } from '../../src/local/operator.ts';

export { operatorVault };
export const minutes = 60_000;
/** From the request to the destruction of the older generations, with a reserve. */
export const wholeRotationMs = 40 * minutes;

export interface RingWorld {
  /** The process that sweeps. */
  readonly service: Service;
  readonly daily: VirtualQueue<DailyWork>;
  /** Another process. Its messages go to the same queue. */
  another(replace?: Partial<Service>): Promise<Service>;
  /** Lets time pass: a sweep of the rings each minute or less often, and each message when it becomes visible. */
  advance(ms: number, sweepEveryMs?: number): Promise<void>;
}

export async function ringWorld(lab: Lab, replace: Partial<Service> = {}): Promise<RingWorld> {
  const daily = createVirtualQueue<DailyWork>(lab.clock);
  const another = (more: Partial<Service> = {}) => lab.another({ dailyQueue: daily, ...more });
  const service = await another(replace);
  return {
    service,
    daily,
    another,
    async advance(ms, sweepEveryMs = 1 * minutes) {
      const end = lab.clock.now() + ms;
      for (let nextSweepAt = lab.clock.now(); ; ) {
        const nextAt = Math.min(nextSweepAt, daily.nextAt() ?? Number.POSITIVE_INFINITY);
        if (nextAt > end) break;
        lab.clock.set(Math.max(lab.clock.now(), nextAt));
        if (nextAt < nextSweepAt) await daily.deliver((message) => work(message, service));
        else {
          nextSweepAt += sweepEveryMs;
          await maintainRings(service);
        }
      }
      lab.clock.set(end);
    },
  };
}

/** As src/functions/dailyPass.ts does. */
async function work(message: DailyWork, service: Service): Promise<void> {
  if (message.visit === 'ring') return workOnPass(message.ring, service);
  if (message.visit === 'operatorKeys') return lookAtOperatorKeys(message.requestedAt, service);
  if (message.visit !== 'secrets') return;
  const next = await rekeySecrets(message, service);
  if (next !== undefined) await service.dailyQueue.send(next.work, next.delayMs);
}

export const stored = async (ring: RingName, { ringStore }: Service): Promise<StoredRing> =>
  (await ringStore.read()).rings[ring];

export const at = (rings: Rings, ring: RingName) =>
  ring === 'system' ? rings.system : ring === 'at-rest' ? rings.atRest : rings.audit;

export const phaseOf = async (ring: RingName, service: Service) =>
  (await stored(ring, service)).state?.value.rotation?.phase ?? 'resting';

export async function rotateWhole(ring: RingName, { service, advance }: RingWorld): Promise<void> {
  await requestRotation(ring, tester, service);
  await advance(wholeRotationMs, 3 * minutes);
}

/** The versions of a key of the operator, oldest first. */
export async function versionsOf(key: string, lab: Lab, vault = operatorVault): Promise<string[]> {
  const { versions } = await lab.keyVault<{ versions: { key: { kid: string } }[] }>(
    'GET',
    `/vaults/${vault}/keys/${key}`,
  );
  return versions.map(({ key: { kid } }) => kid);
}

/** Types and subjects of the entries in the service's own chain after the first n. */
export const serviceEntries = async (service: Service, since = 0): Promise<string[]> =>
  (await ownEntries(service)).slice(since).map(({ type, ring = '' }) => `${type} ${ring}`);

export const requestsTo = async (vault: string, lab: Lab): Promise<{ operation: string }[]> =>
  (await lab.keyVault<{ requests: { operation: string }[] }>('GET', `/requests?vault=${vault}`)).requests;

/** Rows of accounts as they are stored, with their ETags. */
export async function accountEtags(names: readonly string[], { accounts }: Service): Promise<(string | undefined)[]> {
  return Promise.all(names.map(async (name) => (await accounts.read(name))?.etag));
}
