/**
 * The public keys that verify key statuses. The client reads them when a status names an unknown one, and again after
 * an hour.
 */
import type { KeyObject } from 'node:crypto';
import { KeyStatusError } from './errors.ts';
import { type KeyOf, keysIn } from './keyStatus.ts';
import { ageOf, type Clock, type Moment } from './tenure.ts';
import type { Send } from './transport.ts';

/** A key that Keyward has withdrawn is accepted no longer than this. */
const believedMs = 3_600_000;
/** A status with an invented key id costs at most one request in this time. */
const spacingMs = 5_000;
const path = '/api/keyStatus/jwks';

export function createStatusKeys(send: Send, clock: Clock): KeyOf {
  let known: { readonly keys: ReadonlyMap<string, KeyObject>; readonly at: Moment } | undefined;
  let flight: Promise<ReadonlyMap<string, KeyObject>> | undefined;

  async function read(): Promise<ReadonlyMap<string, KeyObject>> {
    const { body, sent } = await send({ method: 'GET', path, isPublic: true });
    known = { keys: keysIn(body), at: sent };
    return known.keys;
  }

  return async (kid) => {
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : ageOf(known.at, clock);
    const believed = ageMs < believedMs ? known?.keys.get(kid) : undefined;
    if (believed !== undefined) return believed;
    if (ageMs >= spacingMs || flight !== undefined) {
      flight ??= read().finally(() => {
        flight = undefined;
      });
      const key = (await flight).get(kid);
      if (key !== undefined) return key;
    }
    throw new KeyStatusError('The key status is signed with a key that Keyward does not publish.');
  };
}
