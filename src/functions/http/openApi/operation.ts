/** One operation of the document, made from its route. */
import * as z from 'zod';
import { hasVersion } from '../../pipeline/apiVersion.ts';
import { accountName } from '../../pipeline/contractParts.ts';
import type { Contract, Route } from '../../pipeline/route.ts';
import { answerOf, errorOf, errorStatuses, json } from './answers.ts';
import { tags } from './components.ts';
import type { Json, SchemaOf } from './schemas.ts';

export function operationOf(route: Route, contract: Contract, schemaOf: SchemaOf): Json {
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
