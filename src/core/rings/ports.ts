/** What the rings capability needs from outside: the stored rings, their state, and how a process loads them. */

import type { Sealing } from '../audit/ports.ts';
import type { RingName } from '../base/vocabulary.ts';
import type { Kek } from '../crypto/accountKeyEnvelope.ts';
import type { Keks } from '../crypto/keks.ts';
import type { KeyCheck, RingRoot, RingRow, RingState, StoredRings } from './storedRing.ts';

/** Ring rows are insert-only, except for wrappings that a newer, proven one replaces, and destroyed generations. */
export interface RingStore {
  /**
   * The stored rings, verified with the rings of this process. It reports damaged rows and leaves them out. @throws
   * Unavailable
   */
  read(): Promise<StoredRings>;
  /**
   * False when the row key is taken: one for each generation and key version, and one for the first wrapping of each
   * generation.
   */
  insert(row: RingRow, kek: Kek): Promise<boolean>;
  /** The row key of a first wrapping stays taken, so that no late first start can make the generation again. */
  remove(row: RingRow): Promise<void>;
}

/** What is stored about the rings besides their wrappings. */
export interface RingStateStore {
  /** Without an ETag: only when the row is absent or damaged. @throws LostRace */
  saveState(ring: RingName, state: RingState, etag: string | undefined): Promise<void>;
  saveRoot(ring: RingName, root: RingRoot): Promise<void>;
  saveCheck(check: KeyCheck): Promise<void>;
}

/** For a process that has no rings yet to verify the stored ones with. */
export interface RingLoader {
  load(): Promise<LoadedRings>;
  /**
   * The activated generations in the head of the service's chain. `isLast`: the head is authentic, and no entry follows
   * it.
   */
  readSealing(atRest: Pick<Keks, 'kek'>): Promise<{ readonly sealing: Sealing; readonly isLast: boolean }>;
}

/** The rings as they are stored, unverified. */
export interface LoadedRings {
  readonly wrappings: Readonly<Record<RingName, readonly RingRow[]>>;
  readonly roots: Readonly<Partial<Record<RingName, RingRoot>>>;
  /** Whether any row of the ring is stored, even a damaged one. */
  isUsed(ring: RingName): boolean;
  /** Whether a holder of the KEK wrote the wrapping as it is. */
  isAuthentic(row: RingRow, kek: Kek): boolean;
  /**
   * Also the rows that the at-rest ring authenticates. It reports damaged rows and leaves them out. @throws Unavailable
   */
  verified(atRest: Pick<Keks, 'kek'>): StoredRings;
}
