/**
 * `npm run bench -- secrets`: the cost of protecting a secret beside the bare ciphers, of a reveal in calls, of a page
 * beside one secret, and of a new version of the system key.
 */
import { inParts } from './inParts.ts';

export default inParts(['./secrets/ciphers.ts', './secrets/calls.ts', './secrets/systemKey.ts']);
