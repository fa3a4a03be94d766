/** Compares responses with the document at /api/openapi.json: each difference is a fault of one of the two. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

// biome-ignore lint/suspicious/noExplicitAny: the document, read as JSON.
export type Json = any;

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly spec: Json;
}

export interface Seen {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** As it was received. */
  readonly text: string;
}

export interface Judge {
  readonly operations: readonly Operation[];
  /** The operation of a request: literals ignore case, parameters are one segment. */
  operationAt(method: string, path: string): Operation | undefined;
  /** The differences from the document. */
  faultsOf(operation: Operation, seen: Seen): string[];
  /** The differences from what the app answers to a path or a method that the document does not have. */
  faultsOfUnknown(seen: Seen): string[];
  validates(schema: Json, value: unknown): string | undefined;
  resolve(json: Json): Json;
}

/** Whether the operation has a query parameter `api-version`; its answers then name the version that answered. */
const hasVersion = ({ spec }: Operation): boolean =>
  spec.parameters.some(({ $ref }: Json) => $ref === '#/components/parameters/ApiVersion');

const toldHeaders = ['x-ms-request-id', 'ETag', 'Location', 'Cache-Control', 'Retry-After'];

const operationsOf = (document: Json): Operation[] =>
  Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, spec]) => ({
      id: spec.operationId,
      method: method.toUpperCase(),
      path,
      spec,
    })),
  );

export function judgeBy(document: Json): Judge {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document');
  const compiled = new Map<string, ReturnType<typeof ajv.compile>>();

  const resolve = (json: Json): Json =>
    typeof json?.$ref === 'string'
      ? json.$ref
          .slice(2)
          .split('/')
          .reduce((at: Json, name: string) => at[name], document)
      : json;

  function validates(schema: Json, value: unknown): string | undefined {
    const text = JSON.stringify(schema);
    const check = compiled.get(text) ?? ajv.compile(JSON.parse(text.replaceAll('"#/', '"document#/')));
    compiled.set(text, check);
    return check(value) ? undefined : ajv.errorsText(check.errors);
  }

  const operations = operationsOf(document);
  const patterns = operations.map((operation) => ({
    operation,
    pattern: new RegExp(`^${operation.path.replace(/[.$]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')}/?$`, 'i'),
  }));

  return {
    operations,
    resolve,
    validates,
    operationAt: (method, path) =>
      patterns.find(({ operation, pattern }) => operation.method === method && pattern.test(path))?.operation,
    faultsOf(operation, { status, headers, text }) {
      const response = resolve(operation.spec.responses[status]);
      if (response === undefined) return [`${operation.id}: status ${status} is not in the document`];
      // The Functions host itself rejects a function key, without a body.
      if (status === 401 && text === '') return [];
      const named = Object.keys(response.headers).map((name) => name.toLowerCase());
      const faults = toldHeaders
        .filter((name) => (headers.get(name) !== null) !== named.includes(name.toLowerCase()))
        .map((name) => `the header ${name} is ${headers.get(name) === null ? 'absent' : 'not in the document'}`);
      if ((headers.get('x-ms-version') !== null) !== hasVersion(operation))
        faults.push(`x-ms-version is ${headers.get('x-ms-version')}`);
      for (const [name, header] of Object.entries<Json>(response.headers)) {
        if (resolve(header).required !== true && headers.get(name) === null) continue;
        const fault = validates(resolve(header).schema, headers.get(name));
        if (fault !== undefined) faults.push(`header ${name}: ${fault}`);
      }
      faults.push(...bodyFaults(response, headers, text));
      return faults.map((fault) => `${operation.id} ${status}: ${fault}`);
    },
    faultsOfUnknown({ status, headers, text }) {
      const codes: Record<number, string> = { 404: 'NotFound', 405: 'MethodNotAllowed' };
      const body = text === '' ? undefined : JSON.parse(text);
      const fault = validates({ $ref: '#/components/schemas/ErrorAnswer' }, body);
      if (fault !== undefined) return [`${status} for no operation: ${fault} in ${text.slice(0, 500)}`];
      const isExpected = body.error.code === codes[status] && (headers.get('Allow') !== null) === (status === 405);
      return isExpected ? [] : [`${status} for no operation, with code ${body.error.code}`];
    },
  };

  function bodyFaults(response: Json, headers: Seen['headers'], text: string): string[] {
    if (response.content === undefined) return text === '' ? [] : ['a body that is not in the document'];
    if (headers.get('content-type')?.split(';')[0] !== 'application/json')
      return [`content-type ${headers.get('content-type')}`];
    const body = JSON.parse(text);
    const fault = validates(response.content['application/json'].schema, body);
    if (fault !== undefined) return [`${fault} in ${text.slice(0, 500)}`];
    // Each status lists its codes in the description.
    const codes: string[] = response.description.split(/[,.\s]+/);
    return body.error === undefined || codes.includes(body.error.code) ? [] : [`code ${body.error.code}`];
  }
}
