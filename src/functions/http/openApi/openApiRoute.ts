/**
 * `GET /api/openapi.json`. It requires a role, like every route except liveness: other callers do not need to know
 * which calls there are.
 */
import * as z from 'zod';
import { absoluteUrl } from '../../pipeline/links.ts';
import type { Route } from '../../pipeline/route.ts';

const document = z.looseObject({ openapi: z.string(), info: z.looseObject({}), paths: z.looseObject({}) }).meta({
  id: 'OpenApiDocument',
  description: 'OpenAPI 3.1: this document.',
  examples: [{ openapi: '3.1.1', info: {}, paths: {} }],
});

/** The document is made on the first call of a process, because most processes never need it. */
export function openApiRoute(routes: () => readonly Route[]): Route {
  let made: Promise<object> | undefined;
  return {
    name: 'openApi',
    method: 'GET',
    path: 'openapi.json',
    scope: 'operator',
    role: 'Accounts.Read',
    contract: { summary: 'Returns this document', answers: { 200: document } },
    async handler({ request }) {
      made ??= import('./openApi.ts').then(({ openApiOf }) => openApiOf(routes()));
      return { status: 200, jsonBody: { ...(await made), servers: [{ url: absoluteUrl(request, '') }] } };
    },
  };
}
