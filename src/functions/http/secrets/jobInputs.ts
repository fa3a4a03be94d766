/**
 * Job inputs: URLs whose query strings are credentials. No call returns the query string, not even reveal. The data
 * plane reads the full URL by `resolve`, which has a role of its own.
 */

import * as z from 'zod';
import { defined } from '../../../core/base/defined.ts';
import { revealOne } from '../../../core/secrets/revealSecret.ts';
import {
  jobInputIn,
  maxFiles,
  maxUrlLength,
  parseJobInput,
  withoutQueries,
} from '../../../core/secrets/secretValues.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import { parsed } from '../../pipeline/requestBody.ts';
import type { Contract, Route } from '../../pipeline/route.ts';
import { secretAnswer } from './secretContract.ts';
import { givenLabel, label, resource, secretName } from './secretJson.ts';
import { refIn, renderRevealed, type SecretApi, secretRoutes } from './secrets.ts';

const url = z.string().min(1).max(maxUrlLength);
const baseUri = url.optional().meta({ description: 'An absolute https URL.' });
const files = z.array(url).min(1).max(maxFiles).meta({ description: 'Absolute https URLs, or paths below baseUri.' });
const query = '?sv=2025-05-05&sig=c2lnbmF0dXJl';
const example = (credential: string) => ({
  baseUri: `https://contoso.blob.core.windows.net/input/${credential}`,
  files: ['trailer.mp4'],
});

const jobInput = z
  .strictObject({
    ...resource,
    properties: orAbsent(z.strictObject({ baseUri: orAbsent(url), files: orAbsent(files), label: givenLabel })),
  })
  .meta({
    id: 'JobInputInput',
    description: 'When baseUri and files are absent, an existing job input keeps them.',
    examples: [{ properties: { ...example(query), label: 'trailer' } }],
  });

const api: SecretApi = {
  kind: 'jobInputs',
  parameter: 'name',
  parse(body) {
    const { baseUri, files, label: newLabel } = parsed(jobInput, body).properties ?? {};
    const isGiven = baseUri !== undefined || files !== undefined;
    const value = isGiven
      ? { given: parseJobInput({ ...defined({ baseUri }), files: files ?? [] }) }
      : { needed: 'properties.files' };
    return { ...defined({ label: newLabel }), value };
  },
  shown: ({ value }) => (value.label === undefined ? {} : { label: value.label }),
  revealed: (plain) => ({ ...withoutQueries(jobInputIn(plain)) }),
  schemas: {
    noun: 'JobInput',
    called: 'a job input',
    name: secretName,
    nameExample: 'trailer',
    body: jobInput,
    shown: { label },
    readExample: { label: 'trailer' },
    revealed: { baseUri, files },
    revealedExample: example(''),
  },
};

const resolved = secretAnswer(api.schemas, {
  id: 'ResolvedJobInput',
  kind: api.kind,
  shape: { label, baseUri, files },
  example: { label: 'trailer', ...example(query) },
});

const resolveContract: Contract = {
  summary: 'Reveals a job input with its query strings',
  params: { name: secretName },
  answers: { 200: resolved.schema },
  headers: { 200: ['Cache-Control'] },
};

const resolve: RouteHandler = async ({ request, service, ...requester }) => {
  const { row, plain } = await revealOne(refIn(api, request), 'JobInputResolved', requester, service);
  const jsonBody = renderRevealed(api, row, plain, (bytes) => ({ ...jobInputIn(bytes) }));
  return { status: 200, headers: { 'Cache-Control': 'no-store' }, jsonBody };
};

export const jobInputRoutes: readonly Route[] = [
  ...secretRoutes(api),
  {
    name: 'jobInputsResolve',
    method: 'POST',
    path: 'accounts/{accountName}/jobInputs/{name}/resolve',
    scope: 'account',
    role: 'Secrets.Resolve',
    gate: 'beside',
    contract: resolveContract,
    handler: resolve,
  },
];
