/**
 * Answers calls that no route accepts: a known path with another method, or an unknown path. The answer says what the
 * caller can correct.
 */
import type { HttpHandler } from '@azure/functions';
import { Refusal } from '../../core/base/errors.ts';
import type { RegisteredRoutes } from '../routes.ts';
import { answerOf } from './errorAnswer.ts';
import { otherMethod, type Paths } from './otherMethod.ts';
import { withRequestIds } from './requestIds.ts';
import { inInvocation } from './service.ts';

export function unknownRoute(registered: RegisteredRoutes): HttpHandler {
  // Routes for the rest of a path exist to refuse: they are no calls that a caller could use instead.
  const routes = Object.values(registered)
    .flat()
    .filter(({ path }) => !path.includes('{*'));
  return (request, context) =>
    inInvocation(context, async () => {
      const refusal = refusalOf(request.method, new URL(request.url).pathname, routes);
      return withRequestIds(answerOf(refusal, request, context), request, context);
    });
}

const refusalOf = (method: string, path: string, routes: Paths): Refusal =>
  otherMethod(method, path, routes) ??
  new Refusal('NotFound', `There is no call ${path.slice(0, 200)}. GET /api/openapi.json lists them.`, {
    target: 'path',
  });
