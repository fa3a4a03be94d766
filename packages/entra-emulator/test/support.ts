import type { Identity } from '../src/issuer.ts';

export const HOME = '11111111-1111-4111-8111-111111111111';
export const CUSTOMER = '22222222-2222-4222-8222-222222222222';
export const STRANGER = '99999999-9999-4999-8999-999999999999';
export const VAULT = 'https://vault.azure.net';

type Json = Record<string, unknown>;
export type Reply<T = Json> = { status: number; body: T };

export async function call<T = Json>(to: Identity, method: string, path: string, body?: unknown): Promise<Reply<T>> {
  const init = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
  const response = await fetch(`${to.url}${path}`, { method, ...init });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as T };
}

/** A control call that is expected to be carried out. */
export async function control<T = Json>(to: Identity, method: string, path: string, body?: unknown): Promise<T> {
  const reply = await call<T>(to, method, `/control/${path}`, body);
  if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
  return reply.body;
}

export async function askForToken(to: Identity, tenant: string, form: Record<string, string>): Promise<Reply> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', scope: `${VAULT}/.default`, ...form });
  const response = await fetch(`${to.url}/${tenant}/oauth2/v2.0/token`, { method: 'POST', body });
  return { status: response.status, body: (await response.json()) as Json };
}

export const AS_ASSERTION = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' };
