/**
 * HTTP triggers: which function answers, whether the caller may, what the handler gets and what goes back. As the
 * Functions host has it: no route is 404 whatever the reason, a bad key is 401, a failure is 500, all with empty
 * bodies, so that nothing but the log knows why; a handler that returns nothing is 204.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type InfoOf, isA, type LoadedFunction } from './functionInfo.ts';
import type { HttpSettings } from './hostJson.ts';
import { answer, header, readBody, sendRpcResponse, toRpcRequest } from './httpMessage.ts';
import type { WorkerServer } from './httpStream.ts';
import type { Invoker } from './invoke.ts';
import { type HostKeys, mayCall, presentedKey } from './keys.ts';
import { findClash, findRoute, orderRoutes, type Route } from './routes.ts';
import { parseTemplate } from './routeTemplate.ts';
import type { TypedData } from './rpc.ts';
import { createThrottle } from './throttle.ts';

export type HttpFunction = LoadedFunction<InfoOf<'httpTrigger'>>;

interface FunctionRoute extends Route {
  target: HttpFunction;
}

function toRoute(target: HttpFunction, routePrefix: string): FunctionRoute {
  const { name, route, methods } = target.info;
  if (/^\/?(admin|runtime)(\/|$)/i.test(route)) {
    throw new Error(`Function '${name}': the route '${route}' may not start with 'admin' or 'runtime'`);
  }
  const text = [routePrefix, route.replace(/^\//, '')].filter((part) => part !== '').join('/');
  try {
    return { functionName: name, text, template: parseTemplate(text), methods, target };
  } catch (error) {
    throw new Error(`Function '${name}': the route '${route}' is not valid: ${(error as Error).message}`);
  }
}

/** In the order in which they are tried. */
export function functionRoutes(functions: readonly LoadedFunction[], routePrefix: string): FunctionRoute[] {
  const targets = functions.filter((one) => isA(one, 'httpTrigger'));
  const routes = orderRoutes(targets.map((target) => toRoute(target, routePrefix)));
  const clash = findClash(routes);
  if (clash !== undefined) {
    const [earlier, later] = clash;
    throw new Error(
      `Function '${later.functionName}' has the route and a method of '${earlier.functionName}': ${later.text}`,
    );
  }
  return routes;
}

/** How long an answer that the app has written may take to this host. */
const unansweredMs = 1_000;

export interface HttpTriggers {
  handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
}

export function createHttpTriggers(
  functions: readonly LoadedFunction[],
  settings: HttpSettings,
  keys: HostKeys,
  invoker: Invoker,
  stream: WorkerServer | undefined,
  failed: (error: unknown) => void,
): HttpTriggers {
  const routes = functionRoutes(functions, settings.routePrefix);
  const throttle = createThrottle(settings.maxConcurrentRequests, settings.maxOutstandingRequests);

  /** With HTTP streaming the answer does not come back with the invocation, but over the app's own server. */
  async function callByStream(
    { server, target, params }: { server: WorkerServer; target: HttpFunction; params: Record<string, string> },
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    const id = randomUUID();
    const traceParent = header(request, 'traceparent');
    const { headers, query } = toRpcRequest(request, url, params, Buffer.alloc(0));
    const triggerMetadata: Record<string, TypedData> = {
      ...Object.fromEntries(Object.entries(params).map(([name, value]) => [name, { string: value }])),
      Headers: { json: JSON.stringify(headers) },
      Query: { json: JSON.stringify(query) },
    };
    const forwarded = server.forward(id, request, response, url);
    const invoked = invoker.invoke(target, {
      ...{ id, data: { http: {} }, triggerMetadata },
      ...(traceParent === undefined ? {} : { traceParent }),
    });
    const outcome = await invoked;
    // What the handler returned has been written by now, if it returned anything, and is on its way here.
    if (outcome.kind === 'Succeeded')
      await Promise.race([forwarded.done, sleep(unansweredMs, undefined, { ref: false })]);
    if (!forwarded.isAnswered()) {
      const why = outcome.kind === 'Failed' ? 'failed' : 'returned nothing';
      const message = `Function '${target.info.name}' ${why}: with enableHttpStream the caller gets no answer`;
      failed(new Error(`${message}, and waits up to 230 s on Azure.`));
      forwarded.cut();
    }
    await forwarded.done;
  }

  async function call(
    target: HttpFunction,
    params: Record<string, string>,
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    // Without HTTP streaming the worker gets a body only when its length is announced and not zero.
    const body = Number(request.headers['content-length'] ?? 0) > 0 ? await readBody(request) : Buffer.alloc(0);
    if (body === undefined) return;
    const traceParent = header(request, 'traceparent');
    const outcome = await invoker.invoke(target, {
      data: { http: toRpcRequest(request, url, params, body) },
      ...(traceParent === undefined ? {} : { traceParent }),
    });
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
      if (!mayCall(found.route.target.info.authLevel, presented, keys)) return answer(response, 401);
      const place = throttle.enter();
      if (place === undefined) return answer(response, 429);
      const { params } = found;
      const { target } = found.route;
      try {
        await place.ready;
        if (stream === undefined) await call(target, params, request, response, url);
        else await callByStream({ server: stream, target, params }, request, response, url);
      } finally {
        place.leave();
      }
    },
  };
}
