/** What the rings capability needs from outside. */

import type { Sealing } from '../audit/ports.ts';
import type { RingName } from '../base/vocabulary.ts';
import type { Kek } from '../crypto/accountKeyEnvelope.ts';
import type { Keks } from '../crypto/keks.ts';
import type { KeyCheck, RingRoot, RingRow, RingState, StoredRings } from './ring.ts';

/** Ring rows are insert-only but for wrappings that a newer, proven one has replaced, and generations that are destroyed. */
export interface RingStore {
  /** As they are stored, verified with the rings of this process. Damaged rows are reported and left out. @throws Unavailable */
  read(): Promise<StoredRings>;
  /** For a process that has no rings yet to verify them with. */
  load(): Promise<LoadedRings>;
  /**
   * The generations that the head of the service's chain says were activated. `isLast`: the head is authentic, and no entry
   * follows it.
   */
  readSealing(atRest: Pick<Keks, 'kek'>): Promise<{ readonly sealing: Sealing; readonly isLast: boolean }>;
  /** False when its place is taken: one for each generation and key version, and one for the first wrapping of each generation. */
  insert(row: RingRow, kek: Kek): Promise<boolean>;
  /** A first wrapping leaves its place taken: no late first start can make the generation again. */
  remove(row: RingRow): Promise<void>;
  /** Without an etag: only where there is none, or a damaged one. @throws LostRace */
  saveState(ring: RingName, state: RingState, etag: string | undefined): Promise<void>;
  saveRoot(ring: RingName, root: RingRoot): Promise<void>;
  saveCheck(check: KeyCheck): Promise<void>;
}

/** The rings as they are stored, unverified. */
export interface LoadedRings {
  readonly wrappings: Readonly<Record<RingName, readonly RingRow[]>>;
  readonly roots: Readonly<Partial<Record<RingName, RingRoot>>>;
  /** Whether anything is stored of the ring, also where it is damaged. */
  isUsed(ring: RingName): boolean;
  /** Whether a holder of the KEK wrote the wrapping as it is. */
  isAuthentic(row: RingRow, kek: Kek): boolean;
  /** With what the at-rest ring authenticates. Damaged rows are reported and left out. @throws Unavailable */
  verified(atRest: Pick<Keks, 'kek'>): StoredRings;
}
