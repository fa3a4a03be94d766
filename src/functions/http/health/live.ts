/**
 * The liveness probe, without the route table, schemas and SDKs that other routes load: a process that has just started
 * answers it first.
 */
import type { HttpHandler } from '@azure/functions';
import { withRequestIds } from '../../pipeline/requestIds.ts';

export const alive = { status: 200, jsonBody: { status: 'alive' } } as const;

export const live: HttpHandler = async (request, context) => withRequestIds(alive, request, context);
