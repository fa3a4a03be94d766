/**
 * `npm run bench -- scale`: how the cost grows with vaults and accounts. Requests are counted at the tables in memory
 * behind the SDK's own `httpClient`, which one contract suite compares with Azurite (packages/table-emulator). The
 * parts that measure the processor take turns.
 */
import { inParts } from './inParts.ts';

export default inParts([
  './scale/lookCost.ts',
  './scale/listPages.ts',
  './scale/handlers.ts',
  ['./scale/messages.ts', './scale/fullSize.ts'],
]);
