/**
 * The key pairs that sign key statuses. The at-rest ring seals them. Keyward makes a pair when there is none, every 90
 * days, and when the ring has a newer KEK. A new pair is published for some minutes before it signs, so that every
 * process and client knows it by then.
 *
 * The loss of a pair does no harm: a status is verified when it arrives and lives for minutes. So a pair under a
 * destroyed KEK is left out, and no pass of the ring waits for it.
 */
import { CompactSign, calculateJwkThumbprint } from 'jose';
import type { AccountsDeps } from '../accounts/deps.ts';
import { type Age, startAge } from '../base/age.ts';
import { base64, fromBase64, wipe } from '../base/bytes.ts';
import { describeError, Unavailable } from '../base/errors.ts';
import { singleFlight } from '../base/singleFlight.ts';
import type { EpochMs } from '../base/time.ts';
import { KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { openStatusKey, type StatusKeyPair, sealStatusKey, statusKeyGeneration } from '../crypto/statusKeyEnvelope.ts';
import type { PublicKeyRow, StatusKeyRow, StatusKeyStore } from './ports.ts';

const dayMs = 24 * 3_600_000;
/** A pair signs for this long, and stays published for some time after its replacement. */
export const statusKeyMs = 90 * dayMs;
const publishedAfterMs = dayMs;
/** A process reads the pairs again when its copy is older. Until `arrivingMs`, no caller waits for it. */
const readEveryMs = 60_000;
/**
 * The time before a new pair signs. By then no process publishes an older copy, and each cached set of public keys has
 * ended.
 */
const arrivingMs = 5 * 60_000;

/** A public key as a JWK set has it. */
export interface PublicStatusKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}

export interface StatusKeys {
  /** A compact JWS over the claims. The `typ` of its header names the kind of statement. @throws Unavailable */
  sign(claims: object, typ?: string): Promise<string>;
  /** @throws Unavailable */
  published(): Promise<readonly PublicStatusKey[]>;
  /** All public keys since the first, so that a receipt can be verified years later. @throws Unavailable */
  ever(): Promise<readonly PublicStatusKey[]>;
}

interface StatusKeyDeps extends Pick<AccountsDeps, 'rings' | 'random' | 'clock' | 'log'> {
  readonly statusKeyStore: StatusKeyStore;
}

type OpenPair = StatusKeyPair & StatusKeyRow & { readonly kid: string; readonly ringGeneration: number };

export function createStatusKeys(deps: StatusKeyDeps): StatusKeys {
  const { statusKeyStore: store, clock, random, log } = deps;
  const opened = new Map<string, OpenPair>();
  const retained = new Set<string>();
  let current: { readonly pairs: readonly OpenPair[]; readonly ageMs: Age } | undefined;

  const read = singleFlight(readOnce, readEveryMs, clock);

  async function readOnce(): Promise<readonly OpenPair[]> {
    const ageMs = startAge(clock);
    const { atRest } = await deps.rings();
    let pairs = await readPairs();
    const slot = `${String(atRest.newest.generation).padStart(10, '0')}:${Math.floor(clock.now() / statusKeyMs)}`;
    if (!pairs.some((one) => one.slot === slot)) {
      await make(slot);
      pairs = await readPairs();
    }
    for (const { kid, x, createdAt } of pairs.filter((one) => !retained.has(one.kid))) {
      await store.retain({ kid, x, createdAt });
      retained.add(kid);
    }
    const superseded = supersededOf(pairs);
    const published = pairs.filter((one) => !superseded.includes(one));
    current = { pairs: published, ageMs };
    for (const { slot } of superseded) await store.remove(slot);
    return published;
  }

  /** Oldest first. A row that does not open is left out: other pairs exist, or will be made. */
  async function readPairs(): Promise<readonly OpenPair[]> {
    const pairs: OpenPair[] = [];
    for (const row of await store.list()) {
      const pair = opened.get(row.sealed) ?? (await open(row));
      if (pair === undefined) continue;
      opened.set(row.sealed, pair);
      pairs.push(pair);
    }
    return pairs.toSorted((a, b) => a.createdAt - b.createdAt);
  }

  async function open(row: StatusKeyRow): Promise<OpenPair | undefined> {
    const { atRest } = await deps.rings();
    try {
      const stored = fromBase64(row.sealed);
      const ringGeneration = statusKeyGeneration(stored);
      const pair = openStatusKey(stored, row, atRest.kek(ringGeneration));
      const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: pair.x });
      return { ...row, ...pair, kid, ringGeneration };
    } catch (error) {
      if (!(error instanceof KeyMaterialMismatch || error instanceof Unavailable)) throw error;
      log.warn('A key of key statuses was left out', { error: describeError(error) });
      return undefined;
    }
  }

  async function make(slot: string): Promise<void> {
    const { atRest } = await deps.rings();
    const [seed, createdAt] = [random.bytes(32), clock.now()];
    const sealed = sealStatusKey(seed, { slot, createdAt }, atRest.newest, random.bytes(12));
    wipe(seed);
    await store.insert({ slot, createdAt, sealed: base64(sealed) });
  }

  const supersededOf = (pairs: readonly OpenPair[]): readonly OpenPair[] =>
    pairs.filter((_, n) => clock.now() - (pairs[n + 1]?.createdAt ?? clock.now()) > publishedAfterMs);

  async function pairsNow(): Promise<readonly OpenPair[]> {
    const held = current;
    if (held === undefined) return read();
    const ageMs = held.ageMs();
    if (ageMs < readEveryMs) return held.pairs;
    const renewed = read().catch((error: unknown) => {
      log.warn('The keys of key statuses could not be read again', { error: describeError(error) });
      // Every process publishes a replaced pair for a day, so statuses of the copy still verify.
      if (ageMs < publishedAfterMs) return held.pairs;
      throw error;
    });
    if (ageMs >= arrivingMs) return renewed;
    renewed.catch(() => undefined);
    return held.pairs;
  }

  return {
    async sign(claims, typ = 'keyward-key-status') {
      const pairs = await pairsNow();
      const pair = signing(pairs, clock.now());
      if (pair === undefined)
        throw new Unavailable('ServiceUnavailable', 'There is no key yet that signs key statuses. Retry later.', 5);
      return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'EdDSA', kid: pair.kid, typ })
        .sign(pair.privateKey);
    },
    async published() {
      return (await pairsNow()).map(publicKeyOf);
    },
    async ever() {
      const known = new Map((await pairsNow()).map((pair) => [pair.kid, publicKeyOf(pair)]));
      for (const key of await store.retained()) known.set(key.kid, publicKeyOf(key));
      return [...known.values()];
    },
  };
}

const publicKeyOf = ({ x, kid }: Pick<PublicKeyRow, 'x' | 'kid'>): PublicStatusKey => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x,
  kid,
  alg: 'EdDSA',
  use: 'sig',
});

/** The newest pair that has been published long enough, or else the oldest, which is the same in every process. */
const signing = (pairs: readonly OpenPair[], now: EpochMs): OpenPair | undefined =>
  pairs.findLast(({ createdAt }) => now - createdAt >= arrivingMs) ?? pairs[0];
