/**
 * What the data keys of an account are wrapped with, by generation of the account key: made at the first use, taken
 * over when the account gets another key, and under the newest at-rest KEK like everything else in the record.
 */
import { type Bytes, wipe } from '../base/bytes.ts';
import type { Random } from '../base/effects.ts';
import { Refusal } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import { newDataKeyMaterial } from '../crypto/dataKeyEnvelope.ts';
import type { Ring } from '../rings/ring.ts';
import type { ActiveAccount, DataKeyGeneration } from './account.ts';
import { openInRecord, resealInRecord, sealInRecord } from './secretLayers.ts';

/** Generations that can open, and all that the record names: it stays far below the 64 KiB of its row. */
const maxOpenGenerations = 32;
const maxListed = 64;

type Holder = Pick<ActiveAccount, 'name' | 'instanceId' | 'accountKeyGeneration' | 'dataKeyGenerations'>;
type Deps = { readonly atRest: Pick<Ring, 'newest' | 'kek'>; readonly random: Random };

export type OpenGeneration = DataKeyGeneration & { readonly sealed: string };

export const isOpen = (one: DataKeyGeneration): one is OpenGeneration => one.sealed !== undefined;

/** The record's generations with one for its account key. */
export function withNewGeneration(holder: Holder, accountKey: Bytes, now: EpochMs, deps: Deps): DataKeyGeneration[] {
  const { instanceId, accountKeyGeneration: generation, dataKeyGenerations: known = [] } = holder;
  const material = newDataKeyMaterial(accountKey, instanceId, deps.random.bytes(32));
  try {
    const sealed = sealInRecord('dataKeys', generation, material, accountKey, holder, deps);
    return [...known, { generation, since: now, sealed }].slice(-maxListed);
  } finally {
    wipe(material);
  }
}

/** @throws Refusal Conflict when so many generations still open that the account may not have another key */
export function refuseTooManyGenerations({ dataKeyGenerations: known = [] }: Pick<Holder, 'dataKeyGenerations'>): void {
  if (known.filter(isOpen).length < maxOpenGenerations) return;
  throw new Refusal(
    'Conflict',
    `Data keys can still be unwrapped under ${maxOpenGenerations} generations of the account key, and no more are retained. Destroy the generations that dataKeyUsage shows as no longer in use.`,
  );
}

/**
 * For an account that gets another key: every generation sealed under that key, and one for it. Absent stays absent.
 */
export function takeOverGenerations(
  left: Bytes,
  before: Holder,
  fresh: { readonly accountKey: Bytes; readonly generation: number },
  now: EpochMs,
  deps: Deps,
): DataKeyGeneration[] | undefined {
  const { dataKeyGenerations: known, ...rest } = before;
  if (known === undefined) return undefined;
  const after = { ...rest, accountKeyGeneration: fresh.generation };
  const taken = known.map((one): DataKeyGeneration => {
    const superseded = { supersededAt: now, ...one };
    if (!isOpen(one)) return superseded;
    const material = openInRecord('dataKeys', one, left, before, deps.atRest);
    try {
      const sealed = sealInRecord('dataKeys', one.generation, material, fresh.accountKey, after, deps);
      return { ...superseded, sealed };
    } finally {
      wipe(material);
    }
  });
  return withNewGeneration({ ...after, dataKeyGenerations: taken }, fresh.accountKey, now, deps);
}

/** With their outer layers under the newest at-rest KEK. @throws KeyMaterialMismatch */
export function resealGenerations(holder: Holder, { atRest, random }: Deps): readonly DataKeyGeneration[] | undefined {
  return holder.dataKeyGenerations?.map((one) =>
    isOpen(one) ? { ...one, sealed: resealInRecord('dataKeys', one, holder, atRest, random) } : one,
  );
}
