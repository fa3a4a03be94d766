/** What else Azure Media Services had under an account: told that it is not here, rather than left to a web server's 404. */
import { Refusal } from '../../core/base/errors.ts';
import type { RouteHandler } from '../pipeline/call.ts';
import { accountAt } from './arm.ts';

export const unknown: RouteHandler = async (call) => {
  await accountAt(call);
  throw new Refusal(
    'NotFound',
    'There is no such call on an account here. There are streamingLocators with listContentKeys, contentKeyPolicies with getPolicyPropertiesWithSecrets, transforms and their jobs, each by PUT, GET and DELETE; policies by PATCH as well.',
    { target: 'path' },
  );
};
