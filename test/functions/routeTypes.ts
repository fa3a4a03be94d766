/**
 * Type tests of the route table: `tsc` compiles this file, and no test runs it. Each `@ts-expect-error` requires an
 * error in the next line, so a misspelt property of a route is known to fail.
 */
import type { RouteHandler } from '../../src/functions/pipeline/call.ts';
import type { Contract, Route } from '../../src/functions/pipeline/route.ts';

const handler: RouteHandler = async () => ({ status: 204 });
const route = { name: 'test', method: 'GET', path: 'test', scope: 'account', role: 'Accounts.Read', handler } as const;
const contract: Contract = { summary: 'A test', answers: { 204: undefined } };

export const correct = [
  { ...route, bearerOnly: true, whileInaccessible: 'allowed', gate: 'beside', contract },
] satisfies readonly Route[];

export const misspelt = [
  // @ts-expect-error: bearerOnly
  { ...route, bearerOnyl: true },
  // @ts-expect-error: whileInaccessible
  { ...route, whileInacessible: 'allowed' },
  // @ts-expect-error: gate
  { ...route, gates: 'beside' },
  // @ts-expect-error: whenRefused
  { ...route, whenRefuse: undefined },
  // @ts-expect-error: auditedRefusal
  { ...route, auditedRefusals: undefined },
  // @ts-expect-error: contract
  { ...route, contracts: contract },
  // @ts-expect-error: scope has no such value
  { ...route, scope: 'acount' },
  // @ts-expect-error: role has no such value
  { ...route, role: 'Accounts.Raed' },
] satisfies readonly Route[];

export const misspeltContract = {
  ...contract,
  // @ts-expect-error: conditional
  conditionals: 'match',
} satisfies Contract;
