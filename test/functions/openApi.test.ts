import { globSync, readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { openApiText } from '../../openApi.ts';
import { openApiOf } from '../../src/functions/http/openApi/openApi.ts';
import { routes } from '../../src/functions/routes.ts';
import { type Json, judgeBy } from '../app/openApi/judge.ts';

const document: Json = openApiOf(routes);
const judge = judgeBy(document);
const { operations, resolve } = judge;
const bodyOf = (part: Json): Json => part?.content?.['application/json'].schema;

test('the document is OpenAPI 3.1, by the meta-schema of the OpenAPI Initiative', async () => {
  expect(await new Validator().validate(document)).toEqual({ valid: true });
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(document.info.version).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
});

test('the document in the repository is the one that the app serves: `npm run openapi` writes it', () => {
  expect(readFileSync('docs/openapi.json', 'utf8')).toBe(openApiText());
});

const securityOf = (scope: string) => {
  if (scope === 'public') return [];
  return scope === 'customer' ? [{ customerLink: [] }] : [{ entra: [] }, { functionKey: [] }];
};

test('the document has every route with its method, path and role, except those of Azure Media Services’ published contract', () => {
  const ours = routes.filter(({ bearerOnly, scope }) => !bearerOnly || scope === 'customer');
  const rolesOf = (scope: string, role: string) => (/public|customer/.test(scope) ? undefined : role);
  expect(
    operations.map(({ id, method, path, spec }) => [id, method, path, spec.security, spec['x-keyward-role']]),
  ).toEqual(
    ours.map(({ name, method, path, scope, role }) => [
      name,
      method,
      `/api/${path}`,
      securityOf(scope),
      rolesOf(scope, role),
    ]),
  );
  expect(routes.filter(({ contract }) => contract === undefined)).toEqual(
    routes.filter((route) => !ours.includes(route)),
  );
});

test('a call takes an api-version when its form is Keyward’s own: all but liveness, events of Event Grid and public keys', () => {
  const without = operations.filter(
    ({ spec }) => !spec.parameters.some(({ $ref }: Json) => $ref === '#/components/parameters/ApiVersion'),
  );
  expect(without.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /api/keyStatus/jwks',
    'GET /api/audit/jwks',
    'POST /api/events',
    'OPTIONS /api/events',
    'GET /api/health/live',
  ]);
});

test('an operation has exactly the parameters of its path', () => {
  for (const { path, spec } of operations) {
    const inPath = spec.parameters.map(resolve).filter((one: Json) => one.in === 'path');
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(inPath.map((one: Json) => one.name)).toEqual(names);
  }
});

test('the document has every query parameter that the code reads, and no other', () => {
  const sources = globSync('src/functions/{http,pipeline}/**/*.ts').map((file) => readFileSync(file, 'utf8'));
  const read = sources.flatMap((text) =>
    [...text.matchAll(/(?:query\.get\(|(?:queryOf|choiceIn|timeIn|nameIn|keyIn)\(request, )'([^']+)'/g)].map(
      ([, name]) => name,
    ),
  );
  const described = operations.flatMap(({ spec }) =>
    spec.parameters.map(resolve).filter((one: Json) => one.in === 'query'),
  );
  expect(new Set(described.map((one: Json) => one.name))).toEqual(new Set(read));
});

test('every operation that changes by If-Match says so: all that PUT, PATCH or DELETE a resource with an ETag, the rotation of an account key, and the recovery of an account', () => {
  const conditional = operations.filter(({ spec }) => spec.responses[412] !== undefined);
  const changing = operations.filter(
    ({ method, id }) =>
      (/PUT|PATCH|DELETE/.test(method) && !id.startsWith('operator')) ||
      ['operatorRotateAccountKey', 'accountsRecover'].includes(id),
  );
  expect(conditional).toEqual(changing);
  for (const { spec } of conditional)
    expect(spec.parameters.map(resolve).map((one: Json) => one.name)).toContain('If-Match');
});

describe('examples', () => {
  const schemas: [string, Json][] = operations.flatMap(({ id, spec }) => [
    ...(spec.requestBody === undefined ? [] : [[`${id}: body`, bodyOf(spec.requestBody)] as [string, Json]]),
    ...Object.entries<Json>(spec.responses)
      .filter(([status]) => status < '400' || id === 'accountsGet')
      .map(([status, response]): [string, Json] => [`${id}: ${status}`, bodyOf(resolve(response))])
      .filter(([, schema]) => schema !== undefined),
  ]);

  test.each(schemas)('the schema %s has examples, and accepts them', (_what, schema) => {
    const { examples } = resolve(schema);
    expect(examples?.length).toBeGreaterThan(0);
    for (const example of examples) expect(judge.validates(schema, example)).toBeUndefined();
  });

  test('a parameter’s schema accepts its examples, and each required parameter has one', () => {
    for (const { spec } of operations) {
      for (const { name, schema, required } of spec.parameters.map(resolve)) {
        if (required) expect(schema.examples, name).toBeDefined();
        for (const example of schema.examples ?? []) expect(judge.validates(schema, example)).toBeUndefined();
      }
    }
  });
});

test('the schemas of answers are closed: a property that is not in them does not pass', () => {
  const open: string[] = [];
  const visit = (schema: Json, where: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    if (schema.type === 'object' && (schema.additionalProperties ?? true) === true) open.push(where);
    for (const [name, inner] of Object.entries(schema)) if (name !== 'examples') visit(inner, `${where}.${name}`);
  };
  for (const [name, schema] of Object.entries<Json>(document.components.schemas)) {
    if (name !== 'OpenApiDocument' && !name.endsWith('Wish')) visit(schema, name);
  }
  expect(open).toEqual([]);
});

test('a body may write null for every optional property, because tools print absent values so', () => {
  const refusing: string[] = [];
  const visit = (written: Json, path: string): void => {
    const schema = resolve(written);
    for (const inner of schema.anyOf ?? []) visit(inner, path);
    if (schema.type === 'array') visit(schema.items, `${path}[]`);
    for (const [name, property] of Object.entries<Json>(schema.properties ?? {})) {
      const at = `${path}.${name}`;
      const isOptional = !schema.required?.includes(name) && resolve(property).readOnly !== true;
      const { anyOf = [], type } = resolve(property);
      const takesNull = [type, ...anyOf.map((one: Json) => one.type)].flat().includes('null');
      if (isOptional && !takesNull) refusing.push(at);
      visit(property, at);
    }
  };
  for (const { id, spec } of operations)
    if (bodyOf(spec.requestBody) !== undefined) visit(bodyOf(spec.requestBody), id);
  expect(refusing).toEqual([]);
});

/**
 * The paths of the properties that a schema has, through lists and alternatives. A schema without a shape takes any.
 */
function propertiesOf(written: Json, path = ''): string[] {
  const schema = resolve(written);
  const parts = [...(schema.anyOf ?? []), ...(schema.items === undefined ? [] : [schema.items])];
  return [
    ...parts.flatMap((part: Json) => propertiesOf(part, path)),
    ...Object.entries<Json>(schema.properties ?? {}).flatMap(([name, property]) => {
      const at = `${path}.${name}`;
      return [
        at,
        ...(Object.keys(property).every((key) => key === 'readOnly') ? [`${at}.*`] : propertiesOf(property, at)),
      ];
    }),
  ];
}

test.each([
  '/api/accounts/{accountName}',
  '/api/accounts/{accountName}/contentKeys/{id}',
  '/api/accounts/{accountName}/jobInputs/{name}',
  '/api/accounts/{accountName}/tokenKeys/{name}',
])('the body of PUT %s takes every property that GET returns, so that a client can send back what it read', (path) => {
  const { get, put } = document.paths[path];
  const taken = new Set(propertiesOf(bodyOf(put.requestBody)));
  const isTaken = (at: string) =>
    taken.has(at) || [...taken].some((one) => one.endsWith('*') && at.startsWith(one.slice(0, -1)));
  const returned = propertiesOf(bodyOf(get.responses[200]));
  expect(returned).toContain('.properties');
  expect(returned.filter((at) => !isTaken(at))).toEqual([]);
});
