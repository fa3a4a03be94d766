/** The parts of the document that several operations share. */
import { apiVersions, newestVersion } from '../../pipeline/apiVersion.ts';
import type { AnswerHeader } from '../../pipeline/route.ts';
import type { Json } from './schemas.ts';

export const tags = {
  accounts: 'Accounts: the tenants of the service, and the key of each.',
  contentKeys: 'Content keys of an account.',
  jobInputs: 'Addresses of job inputs, with their signatures.',
  tokenKeys: 'Keys that verify tokens.',
  dataKeys: 'Data keys, under which the service encrypts its own data.',
  keyStatus: 'Signed statuses of account keys, for caches of data keys.',
  operator: 'Calls of the operator: overview, keys, rotation, audit.',
  customer: "Calls with a customer's link.",
  audit: 'Public keys of receipts and checkpoints.',
  events: 'Events of vaults in other tenants.',
  health: 'The health of the service.',
  openapi: 'This document.',
} as const;

export const parameters = {
  ApiVersion: {
    name: 'api-version',
    in: 'query',
    schema: { enum: apiVersions, default: newestVersion, type: 'string', examples: [newestVersion] },
    description: 'The version of the API. Without it, the call gets the newest version.',
  },
  IfMatch: {
    name: 'If-Match',
    in: 'header',
    schema: { type: 'string', maxLength: 1024, examples: ['"0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff.2"'] },
    description: 'The ETag of the last read, or `*`. Keyward answers 412 when it is no longer the current one.',
  },
  IfNoneMatch: {
    name: 'If-None-Match',
    in: 'header',
    schema: { const: '*' },
    description: 'Creates, and never replaces. Keyward answers 412 when the resource exists.',
  },
};

export const headers = {
  RequestId: {
    description: 'The id to name when you report an error.',
    required: true,
    schema: { type: 'string', maxLength: 128 },
  },
  'x-ms-version': {
    description: 'The version of the API that answered. Absent where a call has no `api-version`.',
    schema: { type: 'string', enum: apiVersions },
  },
  RetryAfter: { description: 'Seconds.', required: true, schema: { type: 'string', pattern: '^[0-9]+$' } },
  ETag: { description: 'Changes with every write.', required: true, schema: { type: 'string', pattern: '^".*"$' } },
  Location: {
    description: 'The address that shows the progress.',
    required: true,
    schema: { type: 'string', format: 'uri' },
  },
  'Cache-Control': {
    description: 'How long the answer may be stored: not at all, or a minute for public keys.',
    required: true,
    schema: { enum: ['no-store', 'public, max-age=60'] },
  },
} as const satisfies Record<AnswerHeader | 'RequestId' | 'RetryAfter' | 'x-ms-version', Json>;

export const securitySchemes = {
  entra: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'Microsoft Entra ID, with the app role that the operation names. Used when KEYWARD_AUTH is `entra`.',
  },
  customerLink: {
    type: 'http',
    scheme: 'bearer',
    description:
      'The text after # in the address of a link for a customer. It opens the calls below /api/customer only.',
  },
  functionKey: {
    type: 'apiKey',
    in: 'header',
    name: 'x-functions-key',
    description: 'Used when KEYWARD_AUTH is `functionKeys`.',
  },
};
