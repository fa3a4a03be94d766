/**
 * The OpenAPI 3.1 document, made from the route table. Its schemas are those that parse bodies and those that tests
 * compare answers with. https://spec.openapis.org/oas/v3.1.1
 */
import * as z from 'zod';
import { errorCodes, statusOf } from '../../../core/base/errors.ts';
import { apiVersions, hasVersion, newestVersion } from '../../pipeline/apiVersion.ts';
import { accountName } from '../../pipeline/contractParts.ts';
import { errorAnswer } from '../../pipeline/errorJson.ts';
import type { AnswerHeader, Contract, Route } from '../../pipeline/route.ts';

type Json = Record<string, unknown>;

export function openApiOf(routes: readonly Route[]): Json {
  const { schemaOf, components } = collectSchemas();
  const responses = errorResponses(schemaOf);
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const { contract, method } = route;
    if (contract === undefined) continue;
    const path = `/api/${route.path}`;
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(route, contract, schemaOf) };
  }
  const document = {
    openapi: '3.1.1',
    info: {
      title: 'Keyward',
      version: '0.1.0',
      license: { name: 'MIT', identifier: 'MIT' },
      contact: { name: 'The operator of this service' },
      summary: 'Customer-managed keys for a multi-tenant service',
      description,
    },
    servers: [
      {
        url: 'https://{host}',
        variables: { host: { default: 'keyward.azurewebsites.net', description: 'The address of the function app.' } },
      },
    ],
    tags: Object.entries(tags).map(([name, text]) => ({ name, description: text })),
    paths,
    components: { schemas: components, responses, headers, parameters, securitySchemes },
  };
  return JSON.parse(JSON.stringify(document).replaceAll('"#/$defs/', '"#/components/schemas/'));
}

const description = `Errors are alike everywhere: a stable \`code\` from a closed list, a message that may change. What answers 503 \
can be sent again after \`Retry-After\` seconds. Account and secret names ignore case.

A call names the version of the API in \`api-version\`. Without it, the call gets the newest version.

Not described here: routes whose contract Microsoft has published, below \`/api/subscriptions\` and \`/api/providers\` (Azure Media Services).`;

type SchemaOf = (schema: z.ZodType, io: 'input' | 'output') => Json;

/** A schema with an id goes into the components, once. */
function collectSchemas(): { schemaOf: SchemaOf; components: Json } {
  const components: Json = {};
  const schemaOf: SchemaOf = (schema, io) => {
    const { $schema, $defs = {}, ...json } = z.toJSONSchema(schema, { io, override: completing(io) });
    Object.assign(components, $defs);
    return json;
  };
  return { schemaOf, components };
}

/** A table property has at most 32 Ki characters, and no text of the API is longer. */
const longestText = 32_768;
const limits = ['maxLength', 'pattern', 'format', 'enum', 'const'] as const;

/** Completes schemas that zod cannot express in JSON Schema. */
const completing =
  (io: 'input' | 'output') =>
  ({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: z.core.JSONSchema.BaseSchema }): void => {
    // For a schema with a transform, zod cannot know whether an example is input or output. The examples are input, as
    // a caller writes them.
    const { examples } = z.globalRegistry.get(zodSchema) ?? {};
    if (Array.isArray(examples)) jsonSchema.examples = examples;
    if (jsonSchema.type === 'string' && !limits.some((limit) => limit in jsonSchema))
      jsonSchema.maxLength = longestText;
    // `z.unknown().refine(...).pipe(schema)`: JSON Schema cannot express the check before the schema.
    const { def } = zodSchema._zod;
    // `anyCase`: a transform before the schema that lists the values.
    if (def.type !== 'pipe' || !['unknown', 'transform'].includes((def.in as z.core.$ZodTypes)._zod.def.type)) return;
    const { $schema, ...checked } = z.toJSONSchema(def.out, { io });
    Object.assign(jsonSchema, checked);
  };

function operationOf(route: Route, contract: Contract, schemaOf: SchemaOf): Json {
  const { summary, body, answers, headers: named = {} } = contract;
  const versioned = hasVersion(route) ? ['x-ms-version' as const] : [];
  const success = Object.entries(answers)
    .filter(([status]) => Number(status) < 400)
    .map(([status, schema]) => [
      status,
      answerOf(schema && schemaOf(schema, 'output'), [...(named[Number(status)] ?? []), ...versioned]),
    ]);
  const errors = errorStatuses
    .filter((status) => canAnswer(status, route, contract))
    .map((status) => [status, errorOf(status, answers[status], schemaOf)]);
  return {
    operationId: route.name,
    summary,
    tags: [tagOf(route.path)],
    ...securityOf(route),
    parameters: parametersOf(route, contract, schemaOf),
    ...(body === undefined ? {} : { requestBody: { required: true, content: json(schemaOf(body, 'input')) } }),
    responses: {
      ...Object.fromEntries([...success, ...errors]),
      default: { $ref: '#/components/responses/Error' },
    },
  };
}

/** An app role is no scope of the scheme, so an extension names it. */
function securityOf({ scope, role }: Route): Json {
  switch (scope) {
    case 'public':
      return { description: 'Open to all callers.', security: [] };
    case 'customer':
      return { description: "With a customer's link.", security: [{ customerLink: [] }] };
    default:
      return {
        description: `App role: ${role}.`,
        'x-keyward-role': role,
        security: [{ entra: [] }, { functionKey: [] }],
      };
  }
}

/**
 * Error statuses are the same on every route, except those that only a body, a condition or a returned value can cause.
 */
function canAnswer(
  status: number,
  { role, scope }: Pick<Route, 'role' | 'scope'>,
  { body, conditional }: Contract,
): boolean {
  switch (status) {
    case 412:
      return conditional !== undefined;
    case 413:
    case 415:
      return body !== undefined;
    case 429:
      return role === 'Secrets.Reveal' || role === 'Secrets.Resolve' || scope === 'customer';
    default:
      return true;
  }
}

const tags = {
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

/** The first word of the path, or the word after the account's name when a tag describes it. */
function tagOf(path: string): string {
  const [first = '', , third = ''] = path.split('/');
  return first === 'accounts' && third in tags ? third : first.replace('.json', '');
}

function parametersOf(route: Route, contract: Contract, schemaOf: SchemaOf): Json[] {
  const { path } = route;
  const known: Contract['params'] = { accountName, ...contract.params };
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: schemaOf(known[name] ?? z.string(), 'input'),
  }));
  const inQuery = Object.entries(contract.query ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !schema.safeParse(undefined).success,
    schema: schemaOf(schema, 'input'),
  }));
  const shared = [
    ...(hasVersion(route) ? ['ApiVersion'] : []),
    ...(contract.conditional === undefined ? [] : conditionsOf[contract.conditional]),
  ];
  return [...inPath, ...inQuery, ...shared.map((name) => ({ $ref: `#/components/parameters/${name}` }))];
}

const conditionsOf = { match: ['IfMatch'], create: ['IfMatch', 'IfNoneMatch'] } as const;

const parameters = {
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

const headers = {
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

const headersOf = (...names: readonly (AnswerHeader | 'x-ms-version')[]): Json => ({
  'x-ms-request-id': { $ref: '#/components/headers/RequestId' },
  ...Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
});

const json = (schema: Json): Json => ({ 'application/json': { schema } });

const answerOf = (schema: Json | undefined, names: readonly (AnswerHeader | 'x-ms-version')[]): Json => ({
  description: schema === undefined ? 'Done, without a body.' : 'Done.',
  headers: headersOf(...names),
  ...(schema === undefined ? {} : { content: json(schema) }),
});

/** The error schema of all routes. `own` is the schema that this route returns instead. */
function errorOf(status: number, own: z.ZodType | undefined, schemaOf: SchemaOf): Json {
  if (own === undefined) return { $ref: `#/components/responses/Error${status}` };
  return errorResponse(status, json({ anyOf: [own, errorAnswer].map((schema) => schemaOf(schema, 'output')) }));
}

/** No operation answers 405, because its path accepts its method. */
const errorStatuses = [...new Set(errorCodes.map(statusOf))].filter((status) => status !== 405).sort((a, b) => a - b);

function errorResponses(schemaOf: SchemaOf): Json {
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

const securitySchemes = {
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
