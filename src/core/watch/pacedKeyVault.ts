/**
 * The calls to one vault within one message of work, paced by the vault's budget. Looks are sent at once and count
 * against later calls. Re-wraps wait for their turn, in order, and only for a short time: when the vault needs longer,
 * the message ends and a delayed one continues. Leases and checks of new keys are outside the budget and come first,
 * from the part of the limit that Keyward leaves free. When the vault throttles, only re-wraps slow down.
 */

import type { EpochMs } from '../base/time.ts';
import type { Answer, KeyVault } from '../customerKey/ports.ts';
import type { WatchDeps } from './deps.ts';
import { afterAnswer, afterRefusal, type Budget, newBudget, refill, spend, waitMs } from './vaultBudget.ts';

export interface PacedKeyVault {
  /** The vault for looks. `cost` in seconds of the vault (vaultBudget.ts). */
  counted(cost: number): KeyVault;
  /** The vault for re-wraps. It returns Throttled without a call when the wait would be long: see `resumeAt`. */
  paced(cost: number): KeyVault;
  /** Reads the remaining budget of the vault. Call it before any re-wrap. Earlier looks count against the budget. */
  open(): Promise<void>;
  readonly isOpen: boolean;
  /** How many operations of this cost the vault can serve per second now. */
  perSecond(cost: number): number;
  /** When re-wraps may continue; absent while they may. */
  readonly resumeAt: EpochMs | undefined;
  readonly budget: Budget;
}

/** Longer waits are delayed messages. */
const maxPauseMs = 500;
/** Evenly sent calls do not arrive evenly. A slightly lower pace stays within the share at the vault. */
const margin = 0.98;
/** How often one call is sent before its account is left for later. */
const maxTries = 8;

export function createPacedKeyVault(
  read: () => Promise<Budget | undefined>,
  { keyVault, clock, pause, policy }: Pick<WatchDeps, 'keyVault' | 'clock' | 'pause' | 'policy'>,
): PacedKeyVault {
  const share = (policy.vaultSharePercent / 100) * margin;
  let budget: Budget = { ...newBudget, at: clock.now() };
  let isOpen = false;
  let resumeAt: EpochMs | undefined;
  let line: Promise<boolean> = Promise.resolve(true);

  const now = (): Budget => {
    budget = refill(budget, share, clock.now());
    return budget;
  };

  async function admit(cost: number): Promise<boolean> {
    while (resumeAt === undefined) {
      const ms = waitMs(now(), cost, share);
      if (ms <= 0) {
        budget = spend(budget, cost);
        return true;
      }
      if (ms > maxPauseMs) resumeAt = clock.now() + ms;
      else await pause(Math.ceil(ms));
    }
    return false;
  }

  function waitForTurn(cost: number): Promise<boolean> {
    line = line.then(() => admit(cost));
    return line;
  }

  async function recordAnswer<T>(call: () => Promise<Answer<T>>): Promise<Answer<T>> {
    const requestedAt = clock.now();
    const answer = await call();
    const isRefused = !answer.ok && answer.cause === 'Throttled';
    const { retryAfterSeconds } = answer.observed;
    if (isRefused) budget = afterRefusal(now(), requestedAt, retryAfterSeconds, clock.now());
    else budget = afterAnswer(budget, requestedAt);
    return answer;
  }

  async function callInTurn<T>(cost: number, call: () => Promise<Answer<T>>): Promise<Answer<T>> {
    let answer: Answer<T> = { ok: false, cause: 'Throttled', observed: { durationMs: 0 } };
    for (let tries = 0; tries < maxTries; tries++) {
      if (!(await waitForTurn(cost))) return answer;
      answer = await recordAnswer(call);
      if (answer.ok || answer.cause !== 'Throttled') return answer;
    }
    return answer;
  }

  function callAtOnce<T>(cost: number, call: () => Promise<Answer<T>>): Promise<Answer<T>> {
    budget = spend(now(), cost);
    return recordAnswer(call);
  }

  const vaultThrough = (call: typeof callInTurn, cost: number): KeyVault => ({
    describe: (...request) => call(cost, () => keyVault.describe(...request)),
    unwrap: (...request) => call(cost, () => keyVault.unwrap(...request)),
    wrap: keyVault.wrap,
  });

  return {
    async open() {
      if (isOpen) return;
      const saved = (await read()) ?? newBudget;
      budget = spend(refill(saved, share, clock.now()), Math.max(0, -budget.seconds));
      isOpen = true;
    },
    get isOpen() {
      return isOpen;
    },
    counted: (cost) => vaultThrough(callAtOnce, cost),
    paced: (cost) => vaultThrough(callInTurn, cost),
    perSecond: (cost) => (share * now().pace) / cost,
    get resumeAt() {
      return resumeAt;
    },
    get budget() {
      return budget;
    },
  };
}
