/**
 * `npm run bench -- dataKeys`: the client's encryption beside the bare cipher and the AWS Encryption SDK, the
 * cost of calls on data keys, and the time from a revocation to the last plaintext in four client processes.
 */
import { inParts } from './inParts.ts';

export default inParts(['./dataKeys/encryption.ts', './dataKeys/calls.ts', './dataKeys/revocation.ts']);
