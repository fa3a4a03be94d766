/** Other resource types that Azure Media Services had under an account. They get an error of their own rather than a web server's 404. */
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
