/**
 * `npm run bench -- monitoring`: the time until a revocation blocks and until access returns, in real time; that no
 * fault blocks an account wrongly; and the cost of looks.
 */
import { inParts } from './inParts.ts';

export default inParts([
  './monitoring/refusal.ts',
  './monitoring/matrix.ts',
  './monitoring/missed.ts',
  './monitoring/blind.ts',
  './monitoring/drill.ts',
  './monitoring/grace.ts',
  './monitoring/sweepCost.ts',
]);
