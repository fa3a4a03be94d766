import type { Kek } from './accountKeyEnvelope.ts';

/** The key encryption keys of one ring. */
export interface Keks {
  /** Encrypts. @throws Unavailable when this process may not encrypt with what it has. */
  readonly newest: Kek;
  /**
   * Decrypts. @throws KeyMaterialMismatch when there is no such generation, Unavailable when it could not be opened.
   */
  kek(generation: number): Kek;
}
