/** What the rings capability needs from outside. */

import type { RingName } from '../base/vocabulary.ts';
import type { KeyCheck, RingRow, RingState, StoredRings } from './ring.ts';

/** Ring rows are insert-only but for wrappings that a newer, proven one has replaced, and generations that are destroyed. */
export interface RingStore {
  read(): Promise<StoredRings>;
  /** False when its place is taken: one for each generation and key version, and one for the first wrapping of each generation. */
  insert(row: RingRow): Promise<boolean>;
  /** A first wrapping leaves its place taken: no late first start can make the generation again. */
  remove(row: RingRow): Promise<void>;
  /** Without an etag: only where there is none yet. @throws LostRace */
  saveState(ring: RingName, state: RingState, etag: string | undefined): Promise<void>;
  saveCheck(check: KeyCheck): Promise<void>;
}
