/**
 * Other resource types that Azure Media Services had under an account. They receive an error of their own instead of a
 * web server's 404. A known path with another method is refused as everywhere else.
 */
import { Refusal } from '../../core/base/errors.ts';
import type { RouteHandler } from '../pipeline/call.ts';
import { otherMethod, type Paths } from '../pipeline/otherMethod.ts';
import { accountAt } from './arm.ts';

export const unknown =
  (known: Paths): RouteHandler =>
  async (call) => {
    await accountAt(call);
    const { method, url } = call.request;
    const ofPath = otherMethod(method, new URL(url).pathname, known);
    if (ofPath !== undefined) throw ofPath;
    throw new Refusal(
      'InvalidResourceType',
      'An account has no such resources or calls here. It has streamingLocators with listContentKeys and listPaths, contentKeyPolicies with getPolicyPropertiesWithSecrets, and transforms with their jobs, each by PUT, GET and DELETE; policies, transforms and jobs by PATCH too; and the predefined streamingPolicies by GET.',
      { target: 'path' },
    );
  };
