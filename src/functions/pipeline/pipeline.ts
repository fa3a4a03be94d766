/**
 * The steps of every HTTP call: authenticate, authorize, limit the rate, pass the gate of the inaccessible state, run
 * the route's handler. Every error that a step throws becomes an answer here, because with HTTP streaming a handler
 * that throws never answers.
 */
import type { HttpHandler, HttpRequest, HttpResponseInit } from '@azure/functions';
import type { AccountView } from '../../core/accounts/account.ts';
import { refuseUnlessEnabled } from '../../core/accounts/gate.ts';
import { accountNotFound, findAccount } from '../../core/accounts/readAccount.ts';
import { isAt } from '../../core/base/armPath.ts';
import { Refusal, Unavailable } from '../../core/base/errors.ts';
import { parseAccountName } from '../../core/base/names.ts';
import { openLink } from '../../core/customerPage/customerLink.ts';
import { hasVersion, versionHeader } from './apiVersion.ts';
import { auditRefusal } from './auditedRefusals.ts';
import { authenticate, authorize, mayServe, unauthenticated } from './authorize.ts';
import type { Call, RouteHandler } from './call.ts';
import type { Caller, Role } from './caller.ts';
import { answerOf } from './errorAnswer.ts';
import { noticeOverdueSweep } from './overdueSweep.ts';
import { checkQuery } from './queryParameters.ts';
import { withRequestIds } from './requestIds.ts';
import type { Route } from './route.ts';
import { inInvocation, keyward } from './service.ts';

export function handlerOf(route: Route): HttpHandler {
  const version = hasVersion(route) ? versionHeader : () => ({});
  return (request, context) =>
    inInvocation(context, async () => {
      let caller: Caller | undefined;
      try {
        caller = await authenticate(request, route);
        authorize(caller, route);
        checkQuery(request, route);
        const answer =
          route.bare === undefined
            ? await servedOnTime(route, { request, ...caller, service: await keyward() })
            : await route.bare({ request, ...caller });
        return withRequestIds(answer, request, context, version(request));
      } catch (error) {
        if (error instanceof Refusal && caller !== undefined) await auditRefusal(error, route, request, caller);
        return withRequestIds(answerOf(error, request, context), request, context, version(request));
      }
    });
}

type ServedRoute = Extract<Route, { handler: RouteHandler }>;

async function servedOnTime(route: ServedRoute, call: Call): Promise<HttpResponseInit> {
  const [answer] = await Promise.all([served(route, call), noticeOverdueSweep(call.service)]);
  return answer;
}

function served(route: ServedRoute, call: Call): Promise<HttpResponseInit> {
  limit(route, call);
  if (route.scope === 'customer') return withLink(route, call);
  return route.scope === 'account' ? gated(route, call) : route.handler(call);
}

/** Roles whose calls return plaintext: a stolen token can do as much harm as the number of values that it can read. */
const revealing: ReadonlySet<Role> = new Set(['Secrets.Reveal', 'Secrets.Resolve']);

/** @throws Unavailable TooManyRequests */
function limit({ role }: Route, { actor, service }: Call): void {
  const waitSeconds = revealing.has(role) ? service.revealBudget.spend(`${actor.kind} ${actor.id}`) : 0;
  if (waitSeconds > 0)
    throw new Unavailable(
      'TooManyRequests',
      `The caller ${actor.id} has used its ${service.policy.revealsPerMinute} calls of this minute that reveal values. Retry after ${waitSeconds} s.`,
      waitSeconds,
    );
}

/** A customer's call: the link takes the place of a caller, and its owner is the only one that the handler sees. */
async function withLink(route: ServedRoute, call: Call): Promise<HttpResponseInit> {
  const token = /^Bearer ([\w.-]+)$/i.exec(call.request.headers.get('authorization') ?? '')?.[1];
  if (token === undefined) throw unauthenticated('The request has no link. Open the address that the operator sent.');
  const link = await openLink(token, route.name, call.service);
  const actor = { kind: 'customerLink', id: link.id } as const;
  return route.handler({ ...call, actor, link, owners: new Set([link.owner]) });
}

/** The gate runs before the handler or at the same time, but no answer leaves before the gate has allowed the call. */
async function gated(route: ServedRoute, call: Call): Promise<HttpResponseInit> {
  const { request, service } = call;
  const isGateOpen = route.whileInaccessible === 'allowed';
  // A list names no account; its handler leaves out the accounts of other owners.
  if (isGateOpen && (call.owners === undefined || request.params.accountName === undefined)) return route.handler(call);
  const name = parseAccountName(request.params.accountName ?? '');
  // The owner is checked first, because the answer must not show that the account exists.
  if (route.gate !== 'beside' || call.owners !== undefined) {
    const view = await findAccount(name, service);
    if (view !== undefined && !mayServe(call, view.record.owner)) throw accountNotFound(name);
    if (view !== undefined && !isGateOpen && isMeant(view, request)) await refuse(view, route, call);
    return route.handler({ ...call, known: Promise.resolve({ view, isRemembered: false }) });
  }
  const known = service.accountCache.view(name);
  const answer = route.handler({ ...call, known });
  // The answer is awaited below. A refusal of the gate is returned first, even when the handler fails.
  answer.catch(() => undefined);
  const { view } = await known;
  if (view !== undefined) await refuse(view, route, call);
  return answer;
}

/** @throws Refusal AccountPendingDeletion | CustomerKeyInaccessible */
async function refuse(view: AccountView, { whenRefused, whilePendingDeletion }: Route, call: Call): Promise<void> {
  if (whilePendingDeletion === 'allowed' && view.record.pendingDeletion !== undefined) return;
  try {
    refuseUnlessEnabled(view);
  } catch (error) {
    throw error instanceof Refusal && whenRefused !== undefined ? await whenRefused(error, view, call) : error;
  }
}

/** A path that names a subscription is for an account that exists at exactly this path. */
function isMeant({ record }: AccountView, { params }: HttpRequest): boolean {
  const { subscriptionId, resourceGroupName: resourceGroup } = params;
  return subscriptionId === undefined || isAt(record.place, { subscriptionId, resourceGroup });
}
