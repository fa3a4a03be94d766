/** The calls of the public API, with the types of docs/openapi.json. The console has no other source of data. */
import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from '../../packages/client/src/generated/openapi.d.ts';
import type { Session } from './session.ts';
import { visibleInJson } from './visible.ts';

export type Schemas = components['schemas'];
export type Account = Schemas['Account'];
export type Api = Client<paths>;

/** A refusal of the API, in its own words: code, message and what to do. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** To give to the operator of the service, who finds the call in the log with it. */
  readonly requestId: string;

  constructor(status: number, code: string, message: string, requestId: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

export function createApi(session: Pick<Session, 'token'>): Api {
  // An answer shows what its reader may see, and the next user of the computer may see less.
  const api = createClient<paths>({ baseUrl: window.location.origin, cache: 'no-store' });
  api.use({
    async onRequest({ request }) {
      request.headers.set('authorization', `Bearer ${await session.token()}`);
      return request;
    },
    // Outsiders choose names and tags.
    async onResponse({ response }) {
      const text = await response.clone().text();
      const shown = visibleInJson(text);
      return shown === text ? undefined : new Response(shown, response);
    },
  });
  return api;
}

/** The body of a success. @throws ApiError */
export async function bodyOf<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  const { data, error, response } = await call;
  if (error === undefined) return data as NonNullable<T>;
  throw errorOf(error, response);
}

export function errorOf(body: unknown, { status, headers }: Response): ApiError {
  const { code = `${status}`, message = `The API answered ${status}.` } =
    (body as { error?: { code?: string; message?: string } } | undefined)?.error ?? {};
  return new ApiError(status, code, message, headers.get('x-ms-request-id') ?? '');
}

/** The token of the next page in the `nextLink` of a list. */
export const skipTokenOf = (nextLink: string | undefined): string | undefined =>
  nextLink === undefined
    ? undefined
    : (new URL(nextLink, window.location.origin).searchParams.get('$skipToken') ?? undefined);
