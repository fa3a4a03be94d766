/**
 * The liveness probe, without the route table, schemas and SDKs that other routes load: a process that has just started
 * answers it first. A request with query parameters goes the way of all routes, which refuses them.
 */
import type { HttpHandler } from '@azure/functions';
import { withRequestIds } from '../../pipeline/requestIds.ts';

export const live: HttpHandler = async (request, context) => {
  if (request.query.size === 0) return withRequestIds({ status: 200, jsonBody: { status: 'alive' } }, request, context);
  const { handlerNamed } = await import('../../pipeline/handlers.ts');
  return handlerNamed('healthLive')(request, context);
};
