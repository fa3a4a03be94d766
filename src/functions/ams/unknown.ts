/**
 * Other resource types that Azure Media Services had under an account. They receive an error of their own instead of a
 * web server's 404.
 */
import { Refusal } from '../../core/base/errors.ts';
import type { RouteHandler } from '../pipeline/call.ts';
import { accountAt } from './arm.ts';

export const unknown: RouteHandler = async (call) => {
  await accountAt(call);
  throw new Refusal(
    'InvalidResourceType',
    'An account has no such resources or calls here. It has streamingLocators with listContentKeys, contentKeyPolicies with getPolicyPropertiesWithSecrets, and transforms with their jobs, each by PUT, GET and DELETE; policies, transforms and jobs by PATCH too; and the predefined streamingPolicies by GET.',
    { target: 'path' },
  );
};
