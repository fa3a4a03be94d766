/**
 * The control API: what customers, operators and the platform do in Azure. JSON in, JSON out; GET /control lists the
 * calls.
 */
import type { ControlRoute } from './controlCall.ts';
import { eventRoutes } from './controlEvents.ts';
import { grantRoutes } from './controlGrants.ts';
import { keyRoutes } from './controlKeys.ts';
import { networkRoutes } from './controlNetwork.ts';
import { testingRoutes } from './controlTesting.ts';
import { vaultRoutes } from './controlVaults.ts';
import { errorBody, Refused } from './errors.ts';
import { type ExampleNames, exampleNames } from './exampleNames.ts';
import type { WireRequest } from './wire.ts';
import type { World } from './world.ts';

const controlRoutes: readonly ControlRoute[] = [
  ...vaultRoutes,
  ...grantRoutes,
  ...keyRoutes,
  ...eventRoutes,
  ...networkRoutes,
  ...testingRoutes,
];

export type ControlAnswer = { status: number; headers: Record<string, string>; body: string };

export async function answerControl(world: World, request: WireRequest): Promise<ControlAnswer> {
  const [path = '', query = ''] = request.target.split('?', 2);
  if (request.method === 'GET' && /^\/(control\/?)?$/.test(path)) {
    return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: help(world) };
  }
  try {
    const { route, params } = find(request.method, path);
    const body = parseJson(request.body);
    const result = await route.run({ world, params, query: Object.fromEntries(new URLSearchParams(query)), body });
    return result === undefined ? { status: 204, headers: {}, body: '' } : json(200, result);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return json(error.refusal.status, errorBody(error.refusal));
  }
}

function find(method: string, path: string): { route: ControlRoute; params: Record<string, string> } {
  let pathKnown = false;
  for (const route of controlRoutes) {
    const params = match(route.path, path);
    if (params === undefined) continue;
    if (route.method === method) return { route, params };
    pathKnown = true;
  }
  throw new Refused({
    status: pathKnown ? 405 : 404,
    code: pathKnown ? 'MethodNotAllowed' : 'NotFound',
    message: `There is no control call ${method} ${path}. GET /control lists them.`,
  });
}

function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.replace(/\/$/, '').split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? '';
    if (segment.startsWith(':')) params[segment.slice(1)] = decodeURIComponent(value);
    else if (segment !== value) return undefined;
  }
  return params;
}

function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refused({ status: 400, code: 'BadRequest', message: `The body is not JSON: ${String(error)}` });
  }
}

function json(status: number, body: unknown): ControlAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: `${JSON.stringify(body, undefined, 2)}\n`,
  };
}

/** The calls as lines to paste: each parameter has the name of something that exists, as far as there is one. */
function help(world: World): string {
  const names = exampleNames(world);
  const calls = controlRoutes.map(({ method, path, about, example }) => {
    const body = example?.(names);
    const data = body === undefined ? '' : ` -d '${JSON.stringify(body)}'`;
    const verb = method === 'GET' ? '' : ` -X ${method}`;
    const filled = path.replaceAll(/:(\w+)/g, (_parameter, name: keyof ExampleNames) => names[name]);
    return `${about}:\ncurl${verb} '${world.url}${filled}'${data}\n`;
  });
  return `The control API of the Key Vault emulator.\n\n${calls.join('\n')}`;
}
