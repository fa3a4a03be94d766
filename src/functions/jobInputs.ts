/**
 * Job inputs: URLs whose query strings are credentials. They never come back, not even on reveal; what the data plane needs in
 * full it asks for by `resolve`, which has a permission of its own.
 */
import * as z from 'zod';
import { revealOne } from '../core/secrets/reveal.ts';
import { jobInputIn, maxFiles, maxUrlLength, parseJobInput, withoutQueries } from '../core/secrets/values.ts';
import { parsed, type RouteHandler } from './http.ts';
import type { Route } from './route.ts';
import { label, resource } from './secretJson.ts';
import { refIn, renderRevealed, type SecretApi, secretRoutes } from './secrets.ts';

const url = z.string().min(1).max(maxUrlLength);
const jobInput = z.strictObject({
  ...resource,
  properties: z.strictObject({ baseUri: url.optional(), files: z.array(url).min(1).max(maxFiles), label }),
});

const api: SecretApi = {
  kind: 'jobInputs',
  parameter: 'name',
  parse(body) {
    const { baseUri, files, label: told } = parsed(jobInput, body).properties;
    const given = parseJobInput(baseUri === undefined ? { files } : { baseUri, files });
    return { ...(told === undefined ? {} : { label: told }), value: { given } };
  },
  told: ({ value }) => (value.label === undefined ? {} : { label: value.label }),
  revealed: (plain) => ({ ...withoutQueries(jobInputIn(plain)) }),
};

const resolve: RouteHandler = async ({ request, service, ...asking }) => {
  const { row, plain } = await revealOne(refIn(api, request), 'JobInputResolved', asking, service);
  const jsonBody = renderRevealed(api, row, plain, (bytes) => ({ ...jobInputIn(bytes) }));
  return { status: 200, headers: { 'Cache-Control': 'no-store' }, jsonBody };
};

export const jobInputRoutes: readonly Route[] = [
  ...secretRoutes(api),
  {
    ...{ name: 'jobInputsResolve', method: 'POST', path: 'accounts/{accountName}/jobInputs/{name}/resolve' },
    ...{ scope: 'account', role: 'Secrets.Resolve', gate: 'beside', handler: resolve },
  },
];
