/** The ports of the rings capability. */

import type { RingName } from '../base/vocabulary.ts';
import type { KeyCheck, RingRow, RingState, StoredRings } from './ring.ts';

/** Ring rows are insert-only, except for wrappings that a newer, proven one replaces, and destroyed generations. */
export interface RingStore {
  read(): Promise<StoredRings>;
  /**
   * False when the row key is taken: one for each generation and key version, and one for the first wrapping of each
   * generation.
   */
  insert(row: RingRow): Promise<boolean>;
  /** The row key of a first wrapping stays taken, so that no late first start can create the generation again. */
  remove(row: RingRow): Promise<void>;
  /** Without an ETag: only when there is none yet. @throws LostRace */
  saveState(ring: RingName, state: RingState, etag: string | undefined): Promise<void>;
  saveCheck(check: KeyCheck): Promise<void>;
}
