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
export function openApiRoutes(all: () => Promise<readonly Route[]>): readonly Route[] {
  let made: Promise<object> | undefined;
  const make = async () => (await import('./openApi.ts')).openApiOf(await all());
  const route: Route = {
    name: 'openApi',
    method: 'GET',
    path: 'openapi.json',
    scope: 'operator',
    role: 'Accounts.Read',
    contract: { summary: 'Returns this document', answers: { 200: document } },
    async handler({ request }) {
      made ??= make();
      return { status: 200, jsonBody: { ...(await made), servers: [{ url: absoluteUrl(request, '') }] } };
    },
  };
  return [route];
}
