/**
 * `npm run bench -- security`: edits of stored rows, memory under large bodies without a token, and the cost of a
 * reveal and of a GET, which authenticated rows must not raise.
 */
import { inParts } from './inParts.ts';

export default inParts(['./security/tamper.ts', './security/flood.ts', './secrets/ciphers.ts', './http/getAccount.ts']);
