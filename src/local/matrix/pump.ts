/**
 * Virtual time for many vaults: work that is due at one moment runs in parallel, as on a queue trigger, so that a vault
 * that does not answer delays no other row. Within a vault messages keep their order.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { vaultIdOf } from '../../core/customerKey/binding.ts';
import type { Service } from '../../core/service.ts';
import type { SweepWork } from '../../core/vaultWork/ports.ts';
import { sweep, sweepRanges } from '../../core/vaultWork/sweep.ts';
import { workOnVault } from '../../core/vaultWork/vaultWork.ts';
import type { VaultWork } from '../../core/watch/ports.ts';
import { type Lab, without } from '../lab/lab.ts';

export interface Pump {
  /** Lets time pass. Calls `afterEach` after each moment with work. */
  advance(ms: number, afterEach?: () => Promise<void>): Promise<void>;
  /** Lets time pass until a second after the looks of the next sweep: a change then waits longest for a look. */
  advancePastSweep(): Promise<void>;
  /** Stops all work on this vault: no sweeps, and its messages are dropped. */
  retire(vault: string): void;
  /** Ids of the vaults whose work did not end within `stuckAfterMs` of real time. Their work stopped then. */
  readonly stuck: readonly string[];
}

const sweepEveryMs = 60_000;
const visibilityAfterFailureMs = 10_000;
const atATime = 10;
/** Far beyond the deadline of a look. Longer work would delay a worker, and other customers' vaults with it. */
const stuckAfterMs = 10_000;
export const stuckWork = `a look did not end within ${stuckAfterMs / 1000} s of real time`;

/**
 * Vaults and workers share one thread here, and the deadline of a call is in real time. With as many calls at once as
 * in Azure, a busy machine would answer after the deadline.
 */
const callsAtOnce = 8;

function withFewCalls(service: Service): Service {
  const limit = pLimit(callsAtOnce);
  const { keyVault } = service;
  return {
    ...service,
    keyVault: {
      ...keyVault,
      describe: (...requested) => limit(() => keyVault.describe(...requested)),
      unwrap: (...requested) => limit(() => keyVault.unwrap(...requested)),
    },
  };
}

/** All vaults of the emulator are in the public cloud. */
export const idOf = (vault: string): string => vaultIdOf(`${vault}.vault.azure.net`);

/** `service` does the work: by default the laboratory's own. Another one can have a clock of its own. */
export function createPump(lab: Lab, worker: Service = lab.service): Pump {
  const { clock, queue } = lab;
  const service = withFewCalls(worker);
  const retired = new Set<string>();
  const stuck: string[] = [];
  let nextSweepAt = clock.now() + sweepEveryMs;
  const living = { ...service, vaults: without(retired, service.vaults) };

  async function handle(message: VaultWork): Promise<void> {
    if (retired.has(message.vault)) return;
    const ended = new AbortController();
    const tooLong = sleep(stuckAfterMs, 'stuck', { signal: ended.signal }).catch(() => 'ended');
    try {
      if ((await Promise.race([workOnVault(message, service), tooLong])) !== 'stuck') return;
      retired.add(message.vault);
      stuck.push(message.vault);
    } catch {
      await queue.send(message, visibilityAfterFailureMs);
    } finally {
      ended.abort();
    }
  }

  async function deliverDue(): Promise<void> {
    const byVault = new Map<string, VaultWork[]>();
    const swept: SweepWork[] = [];
    while ((queue.nextAt() ?? Number.POSITIVE_INFINITY) <= clock.now()) {
      await queue.deliver(async (message) => {
        if (!('vault' in message)) swept.push(message);
        else if (!retired.has(message.vault))
          byVault.set(message.vault, [...(byVault.get(message.vault) ?? []), message]);
      });
    }
    const limit = pLimit(atATime);
    const inOrder = async (messages: readonly VaultWork[]) => {
      for (const message of messages) await handle(message);
    };
    await Promise.all([
      ...swept.map((message) => sweepRanges(message, living)),
      ...[...byVault.values()].map((messages) => limit(inOrder, messages)),
    ]);
  }

  const pump: Pump = {
    stuck,
    advancePastSweep: () => pump.advance(Math.max(0, nextSweepAt - clock.now()) + 1_000),
    async advance(ms, afterEach) {
      const end = clock.now() + ms;
      // Another part moved the clock: a past-due timer fires once, not once for each missed time.
      nextSweepAt = Math.max(nextSweepAt, clock.now());
      for (;;) {
        const nextAt = Math.min(nextSweepAt, queue.nextAt() ?? Number.POSITIVE_INFINITY);
        if (nextAt > end) break;
        clock.set(Math.max(clock.now(), nextAt));
        if (nextAt === nextSweepAt) {
          nextSweepAt += sweepEveryMs;
          await sweep(living);
        }
        await deliverDue();
        await afterEach?.();
      }
      clock.set(end);
    },
    retire: (vault) => void retired.add(idOf(vault)),
  };
  return pump;
}
