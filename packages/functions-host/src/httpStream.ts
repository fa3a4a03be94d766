/**
 * HTTP streaming, for an app that calls `app.setup({ enableHttpStream: true })`. `@azure/functions` then listens on a
 * port of its own, and the host forwards each request to it beside the invocation (azure-functions-host,
 * DefaultHttpProxyService). Nothing holds a body. A handler that throws or returns nothing never answers (issue #324 of
 * azure-functions-nodejs-library), and the front end ends such a request after its time.
 */
import { Agent, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import { pipeline, Transform } from 'node:stream';
import { schemeOf } from './httpMessage.ts';
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

/**
 * A connection for each request, which the host closes: none may outlive it. The worker must not close it, because a
 * server that closes a connection with unread bytes of a body resets it, and the answer is lost.
 */
const agent = new Agent({ keepAlive: true, maxFreeSockets: 0 });

/** A longer body is not held, so a request with one is sent once. */
const heldBytes = 64 * 1024;

/**
 * Forwards the request to the worker and its answer back; resolves when either side has ended. A busy machine resets
 * one new connection of a thousand before the worker has read it, so a reset before any answer is tried once more, with
 * the same invocation id: the worker runs an invocation once, and answers on its latest connection.
 */
export function forward(
  httpUri: string,
  invocationId: string,
  request: IncomingMessage,
  response: ServerResponse,
  maxBodyBytes: number,
): Promise<void> {
  const { host = 'localhost', connection: _connection, ...headers } = request.headers;
  return new Promise((resolve) => {
    const send = () =>
      sendRequest(new URL(request.url ?? '/', httpUri), {
        agent,
        method: request.method ?? 'GET',
        headers: {
          ...headers,
          host,
          'x-forwarded-host': host,
          'x-forwarded-proto': schemeOf(request),
          'x-ms-invocation-id': invocationId,
        },
      }).once('response', (incoming) => {
        if (response.headersSent) return end();
        response.writeHead(incoming.statusCode ?? 500, incoming.headers);
        pipeline(incoming, response, end);
      });
    const counted = request.pipe(countingTransform(maxBodyBytes));
    const body: Buffer[] = [];
    let length = 0;
    counted.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= heldBytes) body.push(chunk);
    });
    let outgoing = send();
    // What the caller still sends after an early answer is read and dropped, so that its connection stays usable.
    const end = () => {
      request.unpipe(counted);
      request.resume();
      outgoing.destroy();
      resolve();
    };
    const fail = () => {
      if (!response.headersSent && !response.destroyed) response.writeHead(500, { 'content-length': 0 }).end();
      end();
    };
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      const isHeld = counted.readableEnded && length <= heldBytes;
      if (error.code !== 'ECONNRESET' || !isHeld || response.headersSent || response.destroyed) return fail();
      outgoing = send().once('error', fail);
      outgoing.end(Buffer.concat(body));
    });
    counted.once('error', fail);
    response.once('close', end);
    counted.pipe(outgoing);
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
