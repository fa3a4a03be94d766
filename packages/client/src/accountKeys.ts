/**
 * The keys of one account that this process holds, and for how long.
 *
 *   answered ─── in use ───┬── 80 % of the span ── refreshed by the next use, in the background
 *                          ├── Keyward does not answer: in use until the status ends
 *                          ├── status ends: wiped; the next use waits for Keyward
 *                          └── refused, or `empty` called: wiped at once; what was under way is thrown away
 *
 * A refresh for encryption brings a new data key with it, so that no data key encrypts for longer than one status.
 */

import type { Attested, CallOptions, DataKeyApi } from './dataKeyApi.ts';
import { KeywardRefusal, KeywardUnavailable } from './errors.ts';
import { deriveKeys, type MessageKeys, messageKeyContext } from './message.ts';
import { type Clock, type Tenure, tenureOf } from './tenure.ts';
import { unlessAborted } from './waiting.ts';

/** Messages under one data key: their random prefixes of 64 bits meet with a probability below 2^-32. */
export const maxMessages = 65_536;
/** Bytes under one data key, 1 TiB: with the longest message above it still below 2^48 blocks of AES. */
export const maxBytes = 2 ** 40;
const maxCachedKeys = 1_000;
/** After a refresh in the background that failed, unless Keyward names a longer time. */
const refreshPauseMs = 5_000;
const maxTries = 3;

/** Keys that may be used as long as `isUsable` says so: ask in the same turn as the use. */
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
  /** For one message, whose bytes the caller adds to `bytes`. @throws KeywardRefusal | KeywardUnavailable */
  forEncryption(signal: AbortSignal | undefined): Promise<EncryptingKeys>;
  /** @throws KeywardRefusal | KeywardUnavailable | DataKeyError */
  forDecryption(wrapped: string, signal: AbortSignal | undefined): Promise<HeldKeys>;
  /** Wipes everything, and throws away what is under way. */
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

  /** The answer's keys are under this status from now on; and with them all that are held of the same account. */
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

  /** Runs a call; a refusal empties the account, and so makes void what other calls bring that were sent before. */
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

  /** The least recently used goes first. */
  function remember(keys: HeldKeys): void {
    opened.delete(keys.wrapped);
    opened.set(keys.wrapped, keys);
    const [oldest] = opened.keys();
    if (opened.size > maxCachedKeys && oldest !== undefined) opened.delete(oldest);
  }

  /** In the background: what fails leaves the keys as they are until their status ends; a refusal has emptied them. */
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
      // Nothing newer: the status that is held ends when it says.
      refreshAt = clock.monotonic() + refreshPauseMs;
      return;
    }
    adopt(fresh, fresh.etag);
    encrypting = undefined;
  }

  function refreshIfDue(): void {
    if (tenure?.isDue() && !refreshing && clock.monotonic() >= refreshAt) void refresh();
  }

  /** Keys that may be used in this turn: those that are held, or new ones. */
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

  /** One flight for all who wait for the same. What it brings may be for one use: then the others each begin their own. */
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
