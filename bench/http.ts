/**
 * `npm run bench -- http`: the cost of a response beside the table reads that it needs, and the number of wrongly
 * rejected calls under load.
 */
import { inParts } from './inParts.ts';

export default inParts(['./http/getAccount.ts', './http/load.ts']);
