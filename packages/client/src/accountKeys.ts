/**
 * The keys of one account that this process holds, and how long it holds them.
 *
 *   answered ─── in use ───┬── 80 % of the span ── refreshed by the next use, in the background
 *                          ├── Keyward does not answer: in use until the status ends
 *                          ├── status ends: wiped; the next use waits for Keyward
 *                          └── refused, or `empty` called: wiped at once; results of running calls are dropped
 *
 * A refresh for encryption also brings a new data key, so that no data key encrypts for longer than one status.
 */

import type { Attested, CallOptions, DataKeyApi } from './dataKeyApi.ts';
import { KeywardRefusal, KeywardUnavailable } from './errors.ts';
import { deriveKeys, type MessageKeys, messageKeyContext } from './message.ts';
import { type Clock, type Tenure, tenureOf } from './tenure.ts';
import { unlessAborted } from './waiting.ts';

/**
 * Messages under one data key. With this number, two of their random prefixes of 64 bits are equal with a probability
 * below 2^-32.
 */
export const maxMessages = 65_536;
/** Bytes under one data key: 1 TiB. With the longest message above it, it is still below 2^48 blocks of AES. */
export const maxBytes = 2 ** 40;
const maxCachedKeys = 1_000;
/** The pause after a failed refresh in the background, unless Keyward names a longer one. */
const refreshPauseMs = 5_000;
const maxTries = 3;

/** Keys that may be used while `isUsable` returns true. Call it in the same turn as the use. */
export interface HeldKeys {
  readonly keys: MessageKeys;
  /** base64 */
  readonly wrapped: string;
  readonly wrappedBytes: Buffer;
  isUsable(): boolean;
}

export interface EncryptingKeys extends HeldKeys {
  messages: number;
  bytes: number;
}

export interface AccountKeys {
  /** For one message. The caller adds its bytes to `bytes`. @throws KeywardRefusal | KeywardUnavailable */
  forEncryption(signal: AbortSignal | undefined): Promise<EncryptingKeys>;
  /** @throws KeywardRefusal | KeywardUnavailable | DataKeyError */
  forDecryption(wrapped: string, signal: AbortSignal | undefined): Promise<HeldKeys>;
  /** Wipes all keys, and drops the results of running calls. */
  empty(): void;
  /** Of the customer key, as far as it is known. */
  readonly binding: string | undefined;
}

export function createAccountKeys(account: string, api: DataKeyApi, clock: Clock): AccountKeys {
  let tenure: Tenure | undefined;
  let encrypting: EncryptingKeys | undefined;
  let hasEncrypted = false;
  const opened = new Map<string, HeldKeys>();
  const flights = new Map<string, Promise<HeldKeys>>();
  let turn = 0;
  let etag: string | undefined;
  let refreshing = false;
  let refreshAt = 0;
  let timer: NodeJS.Timeout | undefined;

  function wipe(): void {
    tenure = undefined;
    encrypting = undefined;
    opened.clear();
    clearTimeout(timer);
  }

  function empty(): void {
    turn += 1;
    flights.clear();
    wipe();
  }

  function isLive(): boolean {
    if (tenure === undefined) return false;
    if (tenure.leftMs() > 0) return true;
    wipe();
    return false;
  }

  /** Puts the keys of the answer under this status, and with them all held keys of the same account. */
  function adopt(attested: Attested, newEtag?: string): Tenure {
    const fresh = tenureOf(attested.status, attested.sent, clock);
    if (tenure !== undefined && tenure.status.accountId !== attested.status.accountId) wipe();
    if (fresh.status.once) wipe();
    else {
      tenure = fresh;
      etag = newEtag;
      clearTimeout(timer);
      timer = setTimeout(isLive, Math.max(0, fresh.leftMs()) + 1).unref();
    }
    return fresh;
  }

  function held(keys: MessageKeys, wrapped: string, own: Tenure): HeldKeys {
    const since = turn;
    const wrappedBytes = Buffer.from(wrapped, 'base64');
    if (own.status.once) return { keys, wrapped, wrappedBytes, isUsable: () => turn === since && own.leftMs() > 0 };
    const { accountId } = own.status;
    return {
      keys,
      wrapped,
      wrappedBytes,
      isUsable: () => turn === since && isLive() && tenure?.status.accountId === accountId,
    };
  }

  /** Runs a call. A refusal empties the account, and so voids the results of calls that were sent earlier. */
  async function ask<T>(call: () => Promise<T>): Promise<T> {
    for (let tries = 0; tries < maxTries; tries++) {
      const since = turn;
      try {
        const answer = await call();
        if (turn === since) return answer;
      } catch (error) {
        if (error instanceof KeywardRefusal && turn === since) empty();
        throw error;
      }
    }
    throw new KeywardUnavailable('KeysEmptied', 'The cached keys were emptied again and again. Try again.', 1);
  }

  async function generate(options: CallOptions = {}): Promise<EncryptingKeys> {
    const { keys, ...attested } = await ask(() => api.generate(account, { context: messageKeyContext }, options));
    const [key] = keys;
    if (key === undefined) throw new KeywardUnavailable('NoAnswer', 'Keyward gave no data key.', 1);
    const own = adopt(attested);
    const fresh = { ...held(deriveKeys(key.plaintext), key.wrapped, own), messages: 0, bytes: 0 };
    if (own.status.once) return fresh;
    encrypting = fresh;
    hasEncrypted = false;
    remember(fresh);
    return fresh;
  }

  async function unwrap(wrapped: string): Promise<HeldKeys> {
    const { keys, ...attested } = await ask(() => api.unwrap(account, [{ wrapped, context: messageKeyContext }]));
    const [item] = keys;
    if (item === undefined) throw new KeywardUnavailable('NoAnswer', 'Keyward gave no data key.', 1);
    const own = adopt(attested);
    if (!item.ok) throw item.error;
    const fresh = held(deriveKeys(item.value), wrapped, own);
    if (!own.status.once) remember(fresh);
    return fresh;
  }

  /** Drops the least recently used key first. */
  function remember(keys: HeldKeys): void {
    opened.delete(keys.wrapped);
    opened.set(keys.wrapped, keys);
    const [oldest] = opened.keys();
    if (opened.size > maxCachedKeys && oldest !== undefined) opened.delete(oldest);
  }

  /**
   * In the background: after a failure the keys stay until their status ends. After a refusal the account is already
   * empty.
   */
  async function refresh(): Promise<void> {
    refreshing = true;
    try {
      if (hasEncrypted) await generate({ isSingleTry: true });
      else await refreshStatus();
    } catch (error) {
      const pauseMs = error instanceof KeywardUnavailable ? error.retryAfterSeconds * 1000 : 0;
      refreshAt = clock.monotonic() + Math.max(refreshPauseMs, pauseMs);
    } finally {
      refreshing = false;
    }
  }

  async function refreshStatus(): Promise<void> {
    const fresh = await ask(() => api.keyStatus(account, etag, { isSingleTry: true }));
    if (fresh === undefined) {
      // No newer status exists, so the held status ends at its own time.
      refreshAt = clock.monotonic() + refreshPauseMs;
      return;
    }
    adopt(fresh, fresh.etag);
    encrypting = undefined;
  }

  function refreshIfDue(): void {
    if (tenure?.isDue() && !refreshing && clock.monotonic() >= refreshAt) void refresh();
  }

  /** Keys that may be used in this turn: held or new ones. */
  async function usable<K extends HeldKeys>(
    held: () => K | undefined,
    name: string,
    begin: () => Promise<K>,
    signal: AbortSignal | undefined,
  ): Promise<K> {
    for (let tries = 0; tries < maxTries; tries++) {
      signal?.throwIfAborted();
      const keys = held() ?? (await inFlight(name, begin, signal));
      if (keys.isUsable()) return keys;
    }
    throw new KeywardUnavailable('KeyStatusOver', 'Every key status had ended when it came. Try again.', 1);
  }

  /**
   * One call for all callers that wait for the same keys. When its result is for one use only, the others each start
   * their own call.
   */
  async function inFlight<K extends HeldKeys>(
    name: string,
    begin: () => Promise<K>,
    signal: AbortSignal | undefined,
  ): Promise<K> {
    const others = flights.get(name) as Promise<K> | undefined;
    if (others === undefined) {
      const flight = begin().finally(() => {
        if (flights.get(name) === flight) flights.delete(name);
      });
      flights.set(name, flight);
      return unlessAborted(flight, signal);
    }
    const shared = await unlessAborted(others, signal);
    return isLive() ? shared : unlessAborted(begin(), signal);
  }

  return {
    async forEncryption(signal) {
      const isSpent = ({ messages, bytes }: EncryptingKeys) => messages >= maxMessages || bytes >= maxBytes;
      const held = () => (isLive() && encrypting !== undefined && !isSpent(encrypting) ? encrypting : undefined);
      const keys = await usable(held, 'generate', () => generate(), signal);
      keys.messages += 1;
      hasEncrypted = true;
      refreshIfDue();
      return keys;
    },
    async forDecryption(wrapped, signal) {
      const held = () => (isLive() ? opened.get(wrapped) : undefined);
      const keys = await usable(held, `unwrap ${wrapped}`, () => unwrap(wrapped), signal);
      if (opened.get(wrapped) === keys) remember(keys);
      refreshIfDue();
      return keys;
    },
    empty,
    get binding() {
      return tenure?.status.binding;
    },
  };
}
