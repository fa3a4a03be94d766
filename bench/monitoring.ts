/**
 * `npm run bench -- monitoring`: the time until a revocation blocks and until access returns, in real time; that no
 * fault blocks an account wrongly; and the cost of looks. One part after the other, so that none slows another down.
 */
import type { Bench } from './report.ts';

const parts = [
  './monitoring/refusal.ts',
  './monitoring/matrix.ts',
  './monitoring/missed.ts',
  './monitoring/drill.ts',
  './monitoring/grace.ts',
  './monitoring/sweepCost.ts',
];

const monitoring: Bench = async (report) => {
  const failed: string[] = [];
  for (const part of parts) {
    await report.inOwnProcess(new URL(part, import.meta.url)).catch((error: Error) => failed.push(error.message));
  }
  if (failed.length > 0) throw new Error(failed.join('; '));
};

export default monitoring;
