/**
 * HTTP triggers: the function for a request, the check of the key, the invocation and the answer. As the Functions host
 * does: no route is 404, a wrong key is 401, a failure is 500, all with empty bodies, and only the log has the reason.
 * A handler that returns nothing is 204.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Indexing, type InfoOf, isA, type LoadedFunction } from './functionInfo.ts';
import type { HttpSettings } from './hostJson.ts';
import { answer, header, headersOf, readBody, sendRpcResponse, toRpcRequest } from './httpMessage.ts';
import { forward, streamedInvocation } from './httpStream.ts';
import type { Invoker } from './invoke.ts';
import { canCall, type HostKeys, presentedKey } from './keys.ts';
import { findRoute, isClash, orderRoutes, type Route } from './routes.ts';
import { parseTemplate } from './routeTemplate.ts';
import { createThrottle } from './throttle.ts';

export type HttpFunction = LoadedFunction<InfoOf<'httpTrigger'>>;

export interface HttpOptions extends HttpSettings {
  maxBodyBytes: number;
  /** The longest time to an answer, in ms, after which Azure's front end closes the request. */
  answerWithinMs: number;
  /** The address at which a streaming app accepts requests. */
  httpUri: string | undefined;
}

interface FunctionRoute extends Route {
  target: HttpFunction;
}

function toRoute(target: HttpFunction, routePrefix: string): FunctionRoute {
  const { name, route, methods } = target.info;
  // By letters, not by segments: `administrators` is refused too.
  if (/^\/?(admin|runtime)/i.test(route)) {
    throw new Error(`the route '${route}' begins with 'admin' or 'runtime', which the host reserves`);
  }
  const text = [routePrefix, route.replace(/^\//, '')].filter((part) => part !== '').join('/');
  try {
    return { functionName: name, text, template: parseTemplate(text), methods, target };
  } catch (error) {
    throw new Error(`the route '${route}' is not valid: ${(error as Error).message}`);
  }
}

/** In the order of matching. Of two functions with the same route and method the later is in error. */
function functionRoutes(
  functions: readonly LoadedFunction[],
  routePrefix: string,
  indexing: Indexing,
): FunctionRoute[] {
  const targets = functions.filter((one) => isA(one, 'httpTrigger'));
  const routes: FunctionRoute[] = [];
  for (const route of orderRoutes(indexing.each(targets, (target) => toRoute(target, routePrefix)))) {
    const earlier = routes.find((one) => isClash(one, route));
    if (earlier === undefined) routes.push(route);
    else indexing.fail(route.functionName, `'${earlier.functionName}' has the same route and method: ${route.text}`);
  }
  return routes;
}

export interface HttpTriggers {
  handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
}

export function createHttpTriggers(
  functions: readonly LoadedFunction[],
  options: HttpOptions,
  keys: HostKeys,
  invoker: Invoker,
  indexing: Indexing,
): HttpTriggers {
  const { maxBodyBytes, httpUri } = options;
  const routes = functionRoutes(functions, options.routePrefix, indexing);
  const throttle = createThrottle(options.maxConcurrentRequests, options.maxOutstandingRequests);

  async function call(
    target: HttpFunction,
    params: Record<string, string>,
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    const headers = headersOf(request);
    if (headers === undefined) return answer(response, 400);
    const traceParent = header(request, 'traceparent');
    const trace = traceParent === undefined ? {} : { traceParent };
    if (httpUri !== undefined) {
      const invocationId = randomUUID();
      void invoker.invoke(target, { ...streamedInvocation(invocationId, headers, params), ...trace });
      return forward(httpUri, invocationId, request, response, maxBodyBytes);
    }
    // Without HTTP streaming the worker receives a body only if its announced length is not zero.
    const hasBody = Number(request.headers['content-length'] ?? 0) > 0;
    const body = hasBody ? await readBody(request, maxBodyBytes) : Buffer.alloc(0);
    if (body === undefined) return;
    const data = { http: toRpcRequest(request, url, headers, params, body) };
    const outcome = await invoker.invoke(target, { data, ...trace });
    if (response.headersSent) return;
    if (outcome.kind === 'Failed') return answer(response, 500);
    const result = outcome.response.returnValue?.http;
    if (!result) answer(response, 204);
    else sendRpcResponse(response, result, request.method === 'HEAD');
  }

  return {
    async handle(request, response, url) {
      const found = findRoute(routes, request.method ?? 'GET', url.pathname);
      if (found === undefined) return answer(response, 404);
      const presented = presentedKey(header(request, 'x-functions-key'), url.searchParams);
      if (!canCall(found.route.target.info.authLevel, presented, keys)) return answer(response, 401);
      const slot = throttle.enter();
      if (slot === undefined) return answer(response, 429);
      // The front end answers; the invocation continues, as it does on Azure.
      const frontEnd = setTimeout(() => {
        if (!response.headersSent) answer(response, 504);
      }, options.answerWithinMs);
      try {
        await slot.ready;
        await call(found.route.target, found.params, request, response, url);
      } finally {
        clearTimeout(frontEnd);
        slot.leave();
      }
    },
  };
}
