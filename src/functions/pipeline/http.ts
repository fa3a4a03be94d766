/**
 * The one way an HTTP call takes: authorize, the gate of the inaccessible state, the route's handler; and the one place where
 * errors become answers. An unforeseen error says nothing outside but its request id.
 */

import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import type * as z from 'zod';
import type { AccountView } from '../../core/accounts/account.ts';
import { refuseWhileInaccessible } from '../../core/accounts/gate.ts';
import type { KnownAccount } from '../../core/accounts/processState.ts';
import { findAccount } from '../../core/accounts/readAccount.ts';
import { isAt } from '../../core/base/armPath.ts';
import { defined } from '../../core/base/defined.ts';
import { describeError, KeywardError, Refusal, statusOf, Unavailable } from '../../core/base/errors.ts';
import { inTime } from '../../core/base/inTime.ts';
import { measure } from '../../core/base/metrics.ts';
import { parseAccountName } from '../../core/base/names.ts';
import type { Service } from '../../core/service.ts';
import { authenticate, authorize, type Caller } from './authorize.ts';
import { renderError } from './errorJson.ts';
import type { Route } from './route.ts';
import { inInvocation, keyward, log } from './service.ts';

export interface Call extends Caller {
  readonly request: HttpRequest;
  readonly service: Service;
  /** Where the route has a gate: the account as the gate reads it. */
  readonly known?: Promise<KnownAccount>;
}

export type RouteHandler = (call: Call) => Promise<HttpResponseInit>;
/** A refusal of the inaccessible state as a route gives it out. */
export type WhenRefused = (refusal: Refusal, view: AccountView, call: Call) => Promise<Refusal>;
/** For what must answer while settings are missing or wrong. */
export type BareHandler = (call: Omit<Call, 'service' | 'known'>) => Promise<HttpResponseInit>;

export function handlerOf(route: Route): HttpHandler {
  return (request, context) =>
    inInvocation(context, async () => {
      const requestId = { 'x-ms-request-id': context.invocationId };
      let caller: Caller | undefined;
      try {
        caller = await authenticate(request, route);
        authorize(caller, route);
        const answer =
          route.bare === undefined
            ? await gated(route, { request, ...caller, service: await keyward() })
            : await route.bare({ request, ...caller });
        return { ...answer, headers: { ...answer.headers, ...requestId } };
      } catch (error) {
        if (error instanceof Refusal && caller !== undefined) await audited(error, route, request, caller);
        const answer = answerOf(error, context);
        return { ...answer, headers: { ...answer.headers, ...requestId } };
      }
    });
}

/** The gate comes before the handler, or stands beside it: no answer leaves that the gate has not let through. */
async function gated(route: Extract<Route, { handler: RouteHandler }>, call: Call): Promise<HttpResponseInit> {
  const { request, service } = call;
  if (route.scope !== 'account' || route.whileInaccessible === 'allowed') return route.handler(call);
  const name = parseAccountName(request.params.accountName ?? '');
  if (route.gate !== 'beside') {
    const view = await findAccount(name, service);
    if (view !== undefined && isMeant(view, request)) await refuse(view, route, call);
    return route.handler({ ...call, known: Promise.resolve({ view, isRemembered: false }) });
  }
  const known = service.accountCache.view(name);
  const answer = route.handler({ ...call, known });
  // Awaited below: the gate's refusal is told first, whatever became of the handler.
  answer.catch(() => undefined);
  const { view } = await known;
  if (view !== undefined) await refuse(view, route, call);
  return answer;
}

/** @throws Refusal CustomerKeyInaccessible */
async function refuse(view: AccountView, { whenRefused }: Route, call: Call): Promise<void> {
  try {
    refuseWhileInaccessible(view);
  } catch (error) {
    throw error instanceof Refusal && whenRefused !== undefined ? await whenRefused(error, view, call) : error;
  }
}

/** No refusal waits longer for its entry, and none fails with it. */
const auditWithinMs = 2_000;

async function audited(
  refusal: Refusal,
  { auditedRefusal }: Route,
  request: HttpRequest,
  { actor }: Caller,
): Promise<void> {
  if (auditedRefusal === undefined) return;
  try {
    const service = await keyward();
    const call = await auditedRefusal(refusal, request, service);
    if (call === undefined) return;
    const telling = service.refusedCalls.tell(call, refusal.code, actor);
    const outcome = (await inTime(telling, service, auditWithinMs)) ?? 'late';
    if (outcome !== 'audited') log.warn('A refusal was not audited', { error: outcome, actor: actor.id });
  } catch (error) {
    if (!(error instanceof Refusal))
      log.warn('A refusal was not audited', { error: describeError(error), actor: actor.id });
  }
}

/** A path that names a subscription is another's, unless the account has its place there. */
function isMeant({ record }: AccountView, { params }: HttpRequest): boolean {
  const { subscriptionId, resourceGroupName: resourceGroup } = params;
  return subscriptionId === undefined || isAt(record.place, { subscriptionId, resourceGroup });
}

function answerOf(error: unknown, context: InvocationContext): HttpResponseInit {
  measure(log, 'keyward.refusals', 1, { code: error instanceof KeywardError ? error.code : 'InternalError' });
  if (error instanceof KeywardError) {
    const retryAfter = error instanceof Unavailable ? { 'Retry-After': String(error.retryAfterSeconds) } : undefined;
    return {
      status: statusOf(error.code),
      ...defined({ headers: retryAfter }),
      jsonBody: renderError(error),
    };
  }
  // A settings error is the operator's own text; anything else may hold what somebody sent us.
  const isSettings = error instanceof Error && error.name === 'SettingsError';
  const details = { error: isSettings ? error.message : describeError(error), frames: framesOf(error) };
  context.error('A call failed', JSON.stringify({ ...details, requestId: context.invocationId }));
  const message = `Something unforeseen happened. Give the operator the request id ${context.invocationId}.`;
  return { status: 500, jsonBody: { error: { code: 'InternalError', message } } };
}

const framesOf = (error: unknown): string =>
  error instanceof Error
    ? (error.stack ?? '')
        .split('\n')
        .filter((line) => /^\s+at /.test(line))
        .slice(0, 6)
        .join('')
    : '';

const maxBodyBytes = 64 * 1024;
/** Enough to mend a body with; the answer to a hostile one stays small. */
const maxDetails = 20;

/** A body can be read once: what a refusal is about is read off it again (dangers.ts). */
const bodies = new WeakMap<HttpRequest, Promise<ArrayBuffer>>();

function bodyOf(request: HttpRequest): Promise<ArrayBuffer> {
  const body = bodies.get(request) ?? request.arrayBuffer();
  bodies.set(request, body);
  return body;
}

/** The body as JSON. @throws Refusal RequestTooLarge | InvalidRequestContent */
export async function readJson(request: HttpRequest, maxBytes = maxBodyBytes): Promise<unknown> {
  const bytes = await bodyOf(request);
  if (bytes.byteLength > maxBytes) throw new Refusal('RequestTooLarge', `The body is larger than ${maxBytes} bytes.`);
  let text: string;
  let body: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    body = JSON.parse(text);
  } catch {
    throw new Refusal('InvalidRequestContent', 'The body is not JSON in UTF-8.', { target: 'body' });
  }
  const half = /\\u[dD][89A-Fa-f]/.test(text) ? placeOfHalfCharacter(body) : undefined;
  if (half === undefined) return body;
  const target = half.slice(0, 200);
  throw new Refusal('InvalidRequestContent', `'${target}' holds half of a surrogate pair: write whole characters.`, {
    target,
  });
}

/** JSON can escape half of a surrogate pair, which is no text: it has no UTF-8, and no canonical form (RFC 8785, 3.2.2.2). */
function placeOfHalfCharacter(body: unknown): string | undefined {
  const left: [path: string, value: unknown][] = [['', body]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [path, value] = next;
    if (typeof value === 'string' && !value.isWellFormed()) return path || 'body';
    for (const [key, inner] of typeof value === 'object' ? Object.entries(value ?? {}) : []) {
      if (!key.isWellFormed()) return path || 'body';
      left.push([path === '' ? key : `${path}.${key}`, inner]);
    }
  }
  return undefined;
}

/** Input by its schema. @throws Refusal InvalidRequestContent that names every field at fault */
export function parsed<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const details = result.error.issues.slice(0, maxDetails).map((issue) => {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 5) : [];
    const target = [...issue.path, ...unknown].map(String).join('.').slice(0, 200) || 'body';
    return { code: 'InvalidRequestContent' as const, message: issue.message.slice(0, 300), target };
  });
  const { target = 'body', message = '' } = details[0] ?? {};
  throw new Refusal('InvalidRequestContent', `The body does not fit at '${target}': ${message}`, { target, details });
}

/** Absolute links carry the address that callers use, which behind a gateway is not the one that the app sees. */
export function absoluteUrl(request: HttpRequest, pathAndQuery: string): string {
  const base = process.env.KEYWARD_PUBLIC_BASE_URL || new URL(request.url).origin;
  return base.replace(/\/+$/, '') + pathAndQuery;
}
