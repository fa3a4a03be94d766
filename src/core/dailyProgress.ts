/** How far the daily pass has come, from what its beginning has stored and the messages that are left. */
import { defined } from './base/defined.ts';
import type { EpochMs } from './base/time.ts';

/** Stored by the messages that begin the pass. */
export interface DailyPassState {
  readonly startedAt: EpochMs;
  /** Messages for pages of accounts and for ranges of vaults. */
  readonly messages: number;
  /** Every account is in a message. */
  readonly isDivided: boolean;
  readonly bounds: NameBounds;
}

/** Names at equal distances, so that other passes divide the accounts among workers. */
export interface NameBounds {
  /** The last name of every `each`-th page. */
  readonly names: readonly string[];
  readonly each: number;
  readonly pages: number;
}

export const noBounds: NameBounds = { names: [], each: 1, pages: 0 };
export const maxBounds = 64;

/** The bounds with one page more, which ends with this name. When there are too many, every second one stays. */
export function withPage({ names, each, pages: before }: NameBounds, end: string): NameBounds {
  const pages = before + 1;
  const all = pages % each === 0 ? [...names, end] : names;
  if (all.length <= maxBounds) return { names: all, each, pages };
  return { names: all.filter((_, n) => n % 2 === 1), each: each * 2, pages };
}

export interface DailyPassStore {
  read(): Promise<DailyPassState | undefined>;
  write(state: DailyPassState): Promise<void>;
}

export interface DailyProgress {
  readonly startedAt: EpochMs;
  readonly messages: number;
  readonly left: number;
  /** As fast as until now. Absent while the pass is being divided, and when nothing is left. */
  readonly expectedEndAt?: EpochMs;
}

/** @param waiting the messages of the queue, about. It also carries other work, which counts as the pass's own. */
export function progressOf(
  { startedAt, messages, isDivided }: Omit<DailyPassState, 'bounds'>,
  waiting: number,
  now: EpochMs,
): DailyProgress {
  const left = Math.min(waiting, messages);
  const done = messages - left;
  const expectedEndAt = isDivided ? expectedEnd(startedAt, done, left, now) : undefined;
  return { startedAt, messages, left, ...defined({ expectedEndAt }) };
}

/** As fast as until now. Undefined: nothing is left, or nothing is done yet. */
export function expectedEnd(startedAt: EpochMs, done: number, left: number, now: EpochMs): EpochMs | undefined {
  return left > 0 && done > 0 && now >= startedAt ? now + Math.round(((now - startedAt) * left) / done) : undefined;
}
