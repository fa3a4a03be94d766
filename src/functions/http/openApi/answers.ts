/** The answers of an operation, and those of every error. */
import type * as z from 'zod';
import { errorCodes, statusOf } from '../../../core/base/errors.ts';
import { errorAnswer } from '../../pipeline/errorJson.ts';
import type { AnswerHeader } from '../../pipeline/route.ts';
import type { Json, SchemaOf } from './schemas.ts';

const headersOf = (...names: readonly (AnswerHeader | 'x-ms-version')[]): Json => ({
  'x-ms-request-id': { $ref: '#/components/headers/RequestId' },
  ...Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
});

export const json = (schema: Json): Json => ({ 'application/json': { schema } });

export const answerOf = (schema: Json | undefined, names: readonly (AnswerHeader | 'x-ms-version')[]): Json => ({
  description: schema === undefined ? 'Done, without a body.' : 'Done.',
  headers: headersOf(...names),
  ...(schema === undefined ? {} : { content: json(schema) }),
});

/** The error schema of all routes. `own` is the schema that this route returns instead. */
export function errorOf(status: number, own: z.ZodType | undefined, schemaOf: SchemaOf): Json {
  if (own === undefined) return { $ref: `#/components/responses/Error${status}` };
  return errorResponse(status, json({ anyOf: [own, errorAnswer].map((schema) => schemaOf(schema, 'output')) }));
}

/** No operation answers 405, because its path accepts its method. */
export const errorStatuses = [...new Set(errorCodes.map(statusOf))]
  .filter((status) => status !== 405)
  .sort((a, b) => a - b);

export function errorResponses(schemaOf: SchemaOf): Json {
  const content = json(schemaOf(errorAnswer, 'output'));
  const byStatus = errorStatuses.map((status) => [`Error${status}`, errorResponse(status, content)] as const);
  const any = { description: 'Any other error, in the same form.', headers: headersOf('x-ms-version'), content };
  return { ...Object.fromEntries(byStatus), Error: any };
}

function errorResponse(status: number, content: Json): Json {
  const codes = errorCodes.filter((code) => statusOf(code) === status).join(', ');
  const byHost = status === 401 ? ' With function keys, the Functions host answers without a body.' : '';
  const retry = status === 503 || status === 429 ? { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } } : {};
  return { description: `${codes}.${byHost}`, headers: { ...headersOf('x-ms-version'), ...retry }, content };
}
