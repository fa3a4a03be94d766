/**
 * Answers calls that no route accepts: a known path with another method, or an unknown path. The answer says what the
 * caller can correct.
 */
import type { HttpHandler } from '@azure/functions';
import { Refusal } from '../../core/base/errors.ts';
import type { RegisteredRoutes } from '../routes.ts';
import { answerOf } from './errorAnswer.ts';
import { withRequestIds } from './requestIds.ts';
import { inInvocation } from './service.ts';
import { withHead } from './withHead.ts';

export function unknownRoute(registered: RegisteredRoutes): HttpHandler {
  const routes = Object.values(registered).flat();
  return (request, context) =>
    inInvocation(context, async () => {
      const refusal = refusalOf(request.method, new URL(request.url).pathname, routes);
      return withRequestIds(answerOf(refusal, request, context), request, context);
    });
}

function refusalOf(method: string, path: string, routes: RegisteredRoutes[string]): Refusal {
  const shown = path.slice(0, 200);
  const allow = [
    ...new Set(routes.filter((route) => takesPath(route.path, path)).flatMap((one) => withHead(one.method))),
  ];
  if (allow.length === 0)
    return new Refusal('NotFound', `There is no call ${shown}. GET /api/openapi.json lists them.`, { target: 'path' });
  return new Refusal('MethodNotAllowed', `${shown} takes ${allow.join(', ')}, not ${method}.`, {
    target: 'method',
    allow,
  });
}

/** `accounts/{accountName}`, and `{*rest}` for the rest of the path. The host ignores case. */
function takesPath(template: string, path: string): boolean {
  const pattern = template
    .split('/')
    .map((part) => (part.startsWith('{*') ? '.*' : part.startsWith('{') ? '[^/]+' : part.replaceAll('.', '\\.')))
    .join('/');
  return new RegExp(`^/api/${pattern}/?$`, 'i').test(path);
}
