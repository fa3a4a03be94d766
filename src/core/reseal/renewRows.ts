/**
 * The second part of a pass of the at-rest ring: it puts the MACs of all rows under the newest KEK, table by table.
 * Rows that the first part has written already have the newest one. A row that does not verify counts as stuck, and
 * Keyward retains the older KEK for it (INV-13).
 */
import type { EpochMs } from '../base/time.ts';
import type { RingPass } from '../rings/storedRing.ts';
import type { ResealDeps } from './deps.ts';

export async function renewRows(
  began: RingPass,
  generation: number,
  until: EpochMs,
  { rowRenewal, clock }: Pick<ResealDeps, 'rowRenewal' | 'clock'>,
): Promise<{ pass: RingPass; isOver: boolean }> {
  let pass = began;
  for (;;) {
    const { table = rowRenewal.tables[0], after } = pass.rows ?? {};
    if (table === undefined) return { pass, isOver: true };
    if (clock.now() >= until) return { pass, isOver: false };
    const { found, renewed, damaged, next } = await rowRenewal.renew(table, generation, after);
    const nextTable = rowRenewal.tables[rowRenewal.tables.indexOf(table) + 1];
    const { found: foundBefore, moved, stuck } = pass;
    const counts = { found: foundBefore + found, moved: moved + renewed, stuck: stuck + damaged };
    if (next === undefined && nextTable === undefined) return { pass: { ...pass, ...counts }, isOver: true };
    pass = { ...pass, ...counts, rows: next === undefined ? { table: nextTable ?? table } : { table, after: next } };
  }
}
