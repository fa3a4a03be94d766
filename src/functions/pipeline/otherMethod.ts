/** A path that exists, called with a method that it does not accept. */
import { Refusal } from '../../core/base/errors.ts';
import type { Route } from './route.ts';
import { withHead } from './withHead.ts';

export type Paths = readonly Pick<Route, 'method' | 'path'>[];

/** The refusal of a path that has only other methods; undefined when no route has the path. */
export function otherMethod(method: string, path: string, routes: Paths): Refusal | undefined {
  const methods = routes.filter((route) => takesPath(route.path, path)).flatMap((one) => withHead(one.method));
  const allow = [...new Set(methods)];
  if (allow.length === 0) return undefined;
  const message = `${path.slice(0, 200)} takes ${allow.join(', ')}, not ${method}.`;
  return new Refusal('MethodNotAllowed', message, { target: 'method', allow });
}

/** `accounts/{accountName}`. The host ignores case. */
function takesPath(template: string, path: string): boolean {
  const pattern = template
    .split('/')
    .map((part) => (part.startsWith('{') ? '[^/]+' : part.replaceAll('.', '\\.')))
    .join('/');
  return new RegExp(`^/api/${pattern}/?$`, 'i').test(path);
}
