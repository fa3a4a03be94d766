/** Requests and answers between the server and the two APIs. */
import { randomUUID } from 'node:crypto';
import type { Vault } from './model.ts';

export type WireRequest = {
  method: string;
  /** Path and query, as on the request line. */
  target: string;
  host: string;
  headers: Record<string, string | undefined>;
  body: string;
  address: string;
};

export type Outcome =
  | { kind: 'answer'; status: number; headers: Record<string, string>; body: string }
  /** The client sees a network failure with this code. */
  | { kind: 'network'; code: string }
  | { kind: 'reset' }
  | { kind: 'hang' };

export function json(status: number, body: unknown, headers: Record<string, string>): Outcome {
  if (body === undefined) return { kind: 'answer', status, headers, body: '' };
  const type = { 'content-type': 'application/json; charset=utf-8' };
  return { kind: 'answer', status, headers: { ...type, ...headers }, body: JSON.stringify(body) };
}

/** Adds the headers that the service sends with every answer. */
export function withHeaders(outcome: Outcome, vault: Vault, request: WireRequest): Outcome {
  if (outcome.kind !== 'answer') return outcome;
  const clientRequestId = request.headers['x-ms-client-request-id'];
  return {
    ...outcome,
    headers: {
      'cache-control': 'no-cache',
      'x-ms-keyvault-region': vault.location,
      'x-ms-request-id': randomUUID(),
      'x-ms-keyvault-service-version': '1.9.2700.1',
      'x-ms-keyvault-network-info': `conn_type=Ipv4;addr=${request.address};act_addr_fam=InterNetwork;`,
      'x-content-type-options': 'nosniff',
      'strict-transport-security': 'max-age=31536000;includeSubDomains',
      ...(clientRequestId === undefined ? {} : { 'x-ms-client-request-id': clientRequestId }),
      ...outcome.headers,
    },
  };
}
