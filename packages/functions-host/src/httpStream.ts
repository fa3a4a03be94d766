/**
 * HTTP streaming, for an app that calls `app.setup({ enableHttpStream: true })`. `@azure/functions` then listens on a
 * port of its own, and the host forwards each request to it beside the invocation (azure-functions-host,
 * DefaultHttpProxyService). Nothing holds a body. A handler that throws or returns nothing never answers (issue #324 of
 * azure-functions-nodejs-library), and the front end ends such a request after its time.
 */
import { Agent, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import { pipeline, Transform } from 'node:stream';
import type { Invocation } from './invoke.ts';
import type { TypedData } from './rpc.ts';

/** What the library reads of a streamed request beside the stream: the headers and the route's parameters. */
export function streamedInvocation(
  invocationId: string,
  headers: Record<string, string>,
  params: Record<string, string>,
): Invocation {
  const values: [string, TypedData][] = Object.entries(params).map(([name, value]) => [name, { string: value }]);
  return {
    invocationId,
    data: { http: {} },
    triggerMetadata: { ...Object.fromEntries(values), Headers: { json: JSON.stringify(headers) } },
  };
}

/** A connection for each request: the worker's own server decides about keep-alive, and none may outlive the host. */
const agent = new Agent({ keepAlive: false });

/** Forwards the request to the worker and its answer back; resolves when either side has ended. */
export function forward(
  httpUri: string,
  invocationId: string,
  request: IncomingMessage,
  response: ServerResponse,
  maxBodyBytes: number,
): Promise<void> {
  const { host = 'localhost', connection: _connection, ...headers } = request.headers;
  return new Promise((resolve) => {
    const outgoing = sendRequest(new URL(request.url ?? '/', httpUri), {
      agent,
      method: request.method ?? 'GET',
      headers: {
        ...headers,
        host,
        'x-forwarded-host': host,
        'x-forwarded-proto': 'http',
        'x-ms-invocation-id': invocationId,
      },
    });
    const end = () => {
      outgoing.destroy();
      resolve();
    };
    outgoing.once('response', (incoming) => {
      if (response.headersSent) return end();
      response.writeHead(incoming.statusCode ?? 500, incoming.headers);
      pipeline(incoming, response, end);
    });
    outgoing.once('error', () => {
      if (!response.headersSent && !response.destroyed) response.writeHead(500, { 'content-length': 0 }).end();
      resolve();
    });
    response.once('close', end);
    pipeline(request, countingTransform(maxBodyBytes), outgoing, () => undefined);
  });
}

/** Fails when more bytes pass than the host accepts. */
function countingTransform(maxBytes: number): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      done(size > maxBytes ? new Error('The request body is too large.') : null, chunk);
    },
  });
}
