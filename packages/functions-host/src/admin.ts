/**
 * The pages of the host, for the master key only: `/admin/host/status`, `/admin/host/ping`, `/admin/functions`,
 * `/admin/functions/NAME`, and the manual run `POST /admin/functions/NAME {"input":"…"}`, answered 202 before its end
 * (Functions host, HostController and FunctionsController). One page exists here only: `POST /admin/eventHubs/NAME`
 * delivers an array of event bodies to the functions on that event hub.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { eventInvocation } from './eventGrid.ts';
import type { EventHubs } from './eventHubs.ts';
import { type FunctionInfo, isA, type LoadedFunction } from './functionInfo.ts';
import { answer, header, readBody } from './httpMessage.ts';
import type { Invocation, Invoker } from './invoke.ts';
import { canCall, type HostKeys, presentedKey } from './keys.ts';
import type { Timers } from './timers.ts';

export interface AdminPages {
  handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
}

function inputOf(body: string): string | undefined {
  if (body.trim() === '') return '';
  try {
    const { input } = JSON.parse(body) as { input?: unknown };
    return typeof input === 'string' ? input : input === undefined ? '' : JSON.stringify(input);
  } catch {
    return undefined;
  }
}

function parsedArray(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined: the input does not fit the trigger. */
function manualInvocation(target: LoadedFunction, input: string, url: URL): Invocation | undefined {
  if (isA(target, 'httpTrigger')) {
    return {
      data: {
        http: {
          method: 'POST',
          url: url.href,
          headers: {},
          query: {},
          params: {},
          body: input ? { string: input } : null,
        },
      },
    };
  }
  if (!isA(target, 'eventGridTrigger')) return { data: { string: input } };
  try {
    return eventInvocation(JSON.parse(input));
  } catch {
    return undefined;
  }
}

export function createAdminPages(
  functions: readonly LoadedFunction[],
  keys: HostKeys,
  invoker: Invoker,
  timers: Timers,
  eventHubs: EventHubs,
): AdminPages {
  const infos: FunctionInfo[] = functions.map((one) => one.info);
  const named = (name: string) => functions.find((one) => one.info.name.toLowerCase() === name.toLowerCase());

  async function run(target: LoadedFunction, request: IncomingMessage, response: ServerResponse, url: URL) {
    const body = await readBody(request);
    if (body === undefined) return;
    const input = inputOf(body.toString('utf8'));
    const invocation = input === undefined ? undefined : manualInvocation(target, input, url);
    if (invocation === undefined) return answer(response, 400);
    // A timer has its own queue of runs, so that this run overlaps no other.
    void (timers.run(target.info.name) ?? invoker.invoke(target, invocation));
    answer(response, 202);
  }

  async function feed(eventHubName: string, request: IncomingMessage, response: ServerResponse) {
    const body = await readBody(request);
    if (body === undefined) return;
    const bodies = parsedArray(body.toString('utf8'));
    if (bodies === undefined) return answer(response, 400);
    answer(response, eventHubs.feed(eventHubName, bodies) === undefined ? 404 : 202);
  }

  return {
    async handle(request, response, url) {
      const presented = presentedKey(header(request, 'x-functions-key'), url.searchParams);
      if (!canCall('admin', presented, keys)) return answer(response, 401);
      const path = url.pathname.toLowerCase().replace(/\/$/, '');
      const get = request.method === 'GET';
      const name = /^\/admin\/functions\/([^/]+)$/.exec(path)?.[1];
      const target = name === undefined ? undefined : named(name);
      if (get && path === '/admin/host/status') {
        return answer(response, 200, {
          id: 'local',
          state: 'Running',
          processUptime: Math.round(process.uptime() * 1000),
        });
      }
      if (path === '/admin/host/ping') return answer(response, 200);
      if (get && path === '/admin/functions') return answer(response, 200, infos);
      if (get && target !== undefined) return answer(response, 200, target.info);
      if (request.method === 'POST' && target !== undefined) return run(target, request, response, url);
      const eventHub = /^\/admin\/eventhubs\/([^/]+)$/.exec(path)?.[1];
      if (request.method === 'POST' && eventHub !== undefined) return feed(eventHub, request, response);
      return answer(response, 404);
    },
  };
}
