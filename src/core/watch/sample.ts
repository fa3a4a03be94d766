/**
 * The sample of a healthy key: the account that the looks of sweeps unwrap, with its wrapped account key, beside the
 * watch. With it a look reads one range of rows and writes one, for any number of accounts. It is a copy, so it never
 * decides anything about its account:
 *
 *   stored    by a look that has just read the record, while the account's bound row is unchanged
 *   discarded when the account is deleted, leaves the key, or wants its key use in its audit; and 30 minutes after it was stored
 *
 * Deleting removes the bound row first, so that no look can store a copy afterwards.
 */
import type { Watch } from './watch.ts';

export interface LookSample {
  readonly version: string;
  readonly name: string;
  readonly instanceId: string;
  readonly owner: string;
  readonly accountKeyGeneration: number;
  /** base64 of the envelope of docs/envelope.md. */
  readonly wrappedAccountKey: string;
}

/** With its age, by the clock of the tables. */
export interface StoredSample {
  readonly value: LookSample;
  readonly ageMs: number;
}

export const sampleMs = 1_800_000;

/** Whether looks may use a sample at all: the key has one version in use, and it works. */
export function isPlain({ versions, samplesAfter, rotation }: Watch): boolean {
  const [verdict, ...others] = Object.values(versions);
  return (
    verdict?.status === 'Accessible' && others.length === 0 && samplesAfter === undefined && rotation === undefined
  );
}

/** The sample, if a look at this watch may use it. */
export function usableSample(watch: Watch, stored: StoredSample | undefined): LookSample | undefined {
  if (stored === undefined || stored.ageMs >= sampleMs || !isPlain(watch)) return undefined;
  return watch.versions[stored.value.version] === undefined ? undefined : stored.value;
}
