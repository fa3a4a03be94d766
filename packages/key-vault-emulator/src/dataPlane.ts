/** A request to a vault, from the Host header to the answer. The steps have the order of the service. */
import { setTimeout as sleep } from 'node:timers/promises';
import { authorize } from './authorize.ts';
import { firstRefusal } from './checks.ts';
import { seconds } from './clock.ts';
import { type Caller, errorBody, Refused } from './errors.ts';
import { type Fault, forbiddenByFault, statusAnswer, type Target, throttledByFault } from './faults.ts';
import { findVersion, liveKey } from './keys.ts';
import type { Vault } from './model.ts';
import { resolvesForClient } from './names.ts';
import { algorithmIn, carryOut } from './operations.ts';
import { badParameter, throttled } from './refusals.ts';
import { type NoRoute, parseRoute, type Route } from './routes.ts';
import { admit, requestKind } from './throttle.ts';
import { json, type Outcome, type WireRequest, withHeaders } from './wire.ts';
import type { World } from './world.ts';

export async function answerDataPlane(world: World, request: WireRequest): Promise<Outcome> {
  const at = new Date().toISOString();
  const vault = vaultAt(world, request.host);
  const route = parseRoute(request.method, request.target);
  const seen: { caller?: Caller } = {};
  const outcome = vault === undefined ? noSuchHost() : await answer(world, vault, route, request, seen);
  if (vault) for (const fault of world.faults.take('answered', targetOf(vault, route))) await delay(world, fault);
  world.requests.add({
    at,
    vault: vault?.name ?? request.host,
    operation: 'status' in route ? 'unknown' : route.operation,
    ...('status' in route ? {} : { key: route.key, version: route.version }),
    status: outcome.kind === 'answer' ? outcome.status : outcome.kind === 'network' ? outcome.code : outcome.kind,
    principal: seen.caller?.oid,
  });
  return outcome;
}

function vaultAt(world: World, host: string): Vault | undefined {
  const vault = world.vaults.get(host.split('.', 1)[0] ?? '');
  return vault?.host === host ? vault : undefined;
}

async function answer(
  world: World,
  vault: Vault,
  route: Route | NoRoute,
  request: WireRequest,
  seen: { caller?: Caller },
): Promise<Outcome> {
  if (vault.deleted) return deletedVault(vault);
  if (!resolvesForClient(vault, world.network)) return noSuchHost();
  try {
    const early = await faultOnArrival(world, vault, route);
    if (early) return withHeaders(early, vault, request);
    const body = readBody(request);
    refuseOverLimit(world, vault, route, request, body);

    const caller = await world.verify(vault, request.headers.authorization);
    seen.caller = caller;
    if ('status' in route) throw new Refused(route);
    const target = targetOf(vault, route);
    for (const fault of world.faults.take('verified', target)) {
      await delay(world, fault);
      if (fault.action === 'forbidden') throw new Refused(forbiddenByFault(fault));
    }

    const granted = authorize(vault, caller.oid, route.operation, route.key, world.clock);
    const found =
      route.key === undefined ? undefined : findVersion(liveKey(vault, route.key, world.clock), route.version);
    const refusal = firstRefusal({
      vault,
      caller,
      address: request.address,
      authorized: granted.allowed,
      operation: route.operation,
      key: route.key,
      version: route.version,
      apiVersion: route.query.get('api-version'),
      found,
      alg: algorithmIn(route, body),
      now: seconds(world.clock.now()),
    });
    if (refusal) throw new Refused(refusal);
    if (body === MALFORMED) throw new Refused(badParameter('The request body is not valid JSON.'));

    const success = await carryOut(world, vault, route, body);
    const result = await withFault(world, target, success.body);
    const headers: Record<string, string> =
      granted.assignmentId === undefined ? {} : { 'x-ms-keyvault-rbac-assignment-id': granted.assignmentId };
    return withHeaders(json(success.status, result, headers), vault, request);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { status, headers } = error.refusal;
    return withHeaders(json(status, errorBody(error.refusal, vault.answers), headers ?? {}), vault, request);
  }
}

function noSuchHost(): Outcome {
  return { kind: 'network', code: 'ENOTFOUND' };
}

function deletedVault(vault: Vault): Outcome {
  const how = vault.answers.deletedVault;
  if (typeof how === 'string') return { kind: 'network', code: how };
  return json(
    how,
    errorBody({ status: how, code: 'VaultNotFound', message: `The vault ${vault.name} was not found.` }),
    {},
  );
}

function targetOf(vault: Vault, route: Route | NoRoute): Target {
  return { vault: vault.name, ...('status' in route ? {} : { key: route.key, operation: route.operation }) };
}

async function faultOnArrival(world: World, vault: Vault, route: Route | NoRoute): Promise<Outcome | undefined> {
  for (const fault of world.faults.take('arrival', targetOf(vault, route))) {
    await delay(world, fault);
    switch (fault.action) {
      case 'status':
        return { kind: 'answer', ...statusAnswer(fault) };
      case 'throttled':
        throw new Refused(throttledByFault(fault));
      case 'reset':
      case 'hang':
        return { kind: fault.action };
      case 'network':
        return { kind: 'network', code: fault.code };
    }
  }
  return undefined;
}

async function delay(world: World, fault: Fault): Promise<void> {
  if (fault.delayMs === undefined) return;
  // stop() ends the wait, because it closes the connection too.
  await sleep(fault.delayMs, undefined, { signal: world.stopping }).catch(() => undefined);
}

/** A request without a token only fetches the challenge, and does not count against the vault's limit. */
function refuseOverLimit(
  world: World,
  vault: Vault,
  route: Route | NoRoute,
  request: WireRequest,
  body: unknown,
): void {
  if (!vault.throttle.enabled || !request.headers.authorization || 'status' in route) return;
  const version =
    route.key === undefined ? undefined : findVersion(liveKey(vault, route.key, world.clock), route.version);
  const kind = requestKind(route.operation, version, isHsmRequest(body));
  const { state, admitted } = admit(vault.throttleState, vault.throttle, kind, performance.now());
  vault.throttleState = state;
  if (!admitted) throw new Refused(throttled(vault.throttle.retryAfterSeconds));
}

function isHsmRequest(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'kty' in body && String(body.kty).endsWith('-HSM');
}

const MALFORMED = Symbol('not JSON');

function readBody(request: WireRequest): unknown {
  if (request.body === '') return undefined;
  try {
    return JSON.parse(request.body);
  } catch {
    return MALFORMED;
  }
}

async function withFault(world: World, target: Target, body: unknown): Promise<unknown> {
  if (target.operation !== 'unwrapkey' && target.operation !== 'decrypt') return body;
  const [fault] = world.faults.take('result', target);
  if (fault === undefined) return body;
  await delay(world, fault);
  if (typeof body !== 'object' || body === null || !('value' in body) || typeof body.value !== 'string') return body;
  const wrong = Buffer.from(body.value, 'base64url').map((byte) => byte ^ 0xff);
  return { ...body, value: Buffer.from(wrong).toString('base64url') };
}
