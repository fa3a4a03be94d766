/**
 * The OpenAPI 3.1 document, made from the route table. Its schemas are those that parse bodies and those that tests
 * compare answers with. https://spec.openapis.org/oas/v3.1.1
 */
import type { Route } from '../../pipeline/route.ts';
import { errorResponses } from './answers.ts';
import { headers, parameters, securitySchemes, tags } from './components.ts';
import { operationOf } from './operation.ts';
import { collectSchemas, type Json } from './schemas.ts';

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
