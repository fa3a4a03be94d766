/**
 * Time for many vaults side by side: what is due at one moment runs together, as it would on a queue trigger, so that a vault that
 * does not answer holds up nobody's test. Within a vault messages keep their order.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import { vaultIdOf } from '../../core/customerKey/binding.ts';
import type { Service } from '../../core/service.ts';
import type { RangeWork } from '../../core/vaultWork/ranges.ts';
import { sweep } from '../../core/vaultWork/sweep.ts';
import { sweepRange } from '../../core/vaultWork/sweepRange.ts';
import { workOnVault } from '../../core/vaultWork/vaultWork.ts';
import type { VaultWork } from '../../core/watch/ports.ts';
import { type Lab, without } from '../lab/lab.ts';

export interface Pump {
  /** Lets time pass; `afterEach` is called after each moment at which something was done. */
  advance(ms: number, afterEach?: () => Promise<void>): Promise<void>;
  /** Lets time pass until a second after the next sweep has looked: a change then waits longest to be seen. */
  advancePastSweep(): Promise<void>;
  /** This vault is nobody's business any more: not swept, its messages dropped. */
  retire(vault: string): void;
  /** Ids of the vaults whose work did not end in `stuckAfterMs` of real time. They were left alone from then on. */
  readonly stuck: readonly string[];
}

const sweepEveryMs = 60_000;
const visibilityAfterFailureMs = 10_000;
const atATime = 10;
/** Far beyond any deadline of a look: whoever needs longer holds up a worker, and with it other customers' vaults. */
const stuckAfterMs = 10_000;
export const stuckWork = `a look did not end within ${stuckAfterMs / 1000} s of real time`;

/** The emulator's vaults are all of the public cloud. */
export const idOf = (vault: string): string => vaultIdOf(`${vault}.vault.azure.net`);

/** `service` does the work: by default the laboratory's own; another may have a clock of its own. */
export function createPump(lab: Lab, service: Service = lab.service): Pump {
  const { clock, queue } = lab;
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
    const ranges: RangeWork[] = [];
    while ((queue.nextAt() ?? Number.POSITIVE_INFINITY) <= clock.now()) {
      await queue.deliver(async (message) => {
        if ('range' in message) ranges.push(message);
        else if (!retired.has(message.vault))
          byVault.set(message.vault, [...(byVault.get(message.vault) ?? []), message]);
      });
    }
    const limit = pLimit(atATime);
    const inOrder = async (messages: readonly VaultWork[]) => {
      for (const message of messages) await handle(message);
    };
    await Promise.all([
      ...ranges.map((range) => sweepRange(range, living)),
      ...[...byVault.values()].map((messages) => limit(inOrder, messages)),
    ]);
  }

  const pump: Pump = {
    stuck,
    advancePastSweep: () => pump.advance(Math.max(0, nextSweepAt - clock.now()) + 1_000),
    async advance(ms, afterEach) {
      const end = clock.now() + ms;
      // Somebody else has moved the clock: a timer that is past due fires once, not once for each time it has missed.
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
