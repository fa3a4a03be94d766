/**
 * HTTP streaming (`app.setup({ enableHttpStream: true })`): the app's own `@azure/functions` opens an HTTP server, and
 * the host forwards each request to it under the id of the invocation (Azure/azure-functions-nodejs-library,
 * src/http/httpProxy.ts). The host holds no body, and the answer comes back over the same connection. So a handler that
 * throws, or returns nothing, sends no answer at all (library issue 324). The real host waits for it up to 230 s; this
 * one logs the reason and cuts the connection.
 */
import { channel } from 'node:diagnostics_channel';
import { Agent, Server as HttpServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { Server } from 'node:net';
import { pipeline } from 'node:stream/promises';

export interface WorkerServer {
  /** Sends the request on, and its answer back. Resolves once the answer is out; `cut` ends it without one. */
  forward(invocationId: string, request: IncomingMessage, response: ServerResponse, url: URL): Forwarded;
  close(): void;
}

export interface Forwarded {
  /** True as soon as the app has begun to answer. */
  isAnswered(): boolean;
  readonly done: Promise<void>;
  cut(): void;
}

/** RFC 9110, 7.6.1: they belong to one connection. */
const hopByHop = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect)$/i;

/** The server that the library opens while it gives its capabilities: it never closes it, and this host must. */
export async function capturingServers<T>(work: () => Promise<T>): Promise<{ result: T; servers: Server[] }> {
  const servers: Server[] = [];
  const listening = channel('tracing:net.server.listen:asyncStart');
  const note = (message: unknown) => void servers.push((message as { server: Server }).server);
  listening.subscribe(note);
  try {
    return { result: await work(), servers };
  } finally {
    listening.unsubscribe(note);
  }
}

/** @param uri as the library names it: `http://localhost:PORT/`, on whichever family localhost is. */
export function workerServer(uri: string, candidates: readonly Server[]): WorkerServer {
  const port = Number(new URL(uri).port);
  const own = candidates.find((server) => {
    const address = server.address();
    return typeof address === 'object' && address?.port === port;
  });
  // Both ends are here: a connection that one of them closes while it idles would break the next call.
  if (own instanceof HttpServer) Object.assign(own, { keepAliveTimeout: 0, requestTimeout: 0 });
  const agent = new Agent({ keepAlive: true });

  return {
    forward(invocationId, request, response, url) {
      const headers = Object.entries(request.headers).filter(([name]) => !hopByHop.test(name));
      const onward = send({
        agent,
        host: '127.0.0.1',
        port,
        method: request.method,
        path: url.pathname + url.search,
        headers: {
          ...Object.fromEntries(headers),
          'x-ms-invocation-id': invocationId,
          'x-forwarded-host': url.host,
          'x-forwarded-proto': 'http',
        },
      });
      let answered = false;
      const done = new Promise<void>((resolve) => {
        const end = () => {
          request.unpipe(onward);
          // A body that the app did not read to its end leaves a connection that no other request may use.
          if (!onward.writableFinished) onward.destroy();
          resolve();
        };
        onward.once('response', (answer) => {
          answered = true;
          for (const [name, value] of Object.entries(answer.headers)) {
            if (value !== undefined && !hopByHop.test(name)) response.setHeader(name, value);
          }
          response.writeHead(answer.statusCode ?? 500);
          pipeline(answer, response).then(end, end);
        });
        onward.once('error', () => {
          if (!answered) response.destroy();
          end();
        });
        onward.once('close', end);
        request.once('close', () => !request.complete && onward.destroy());
      });
      request.pipe(onward);
      return { done, isAnswered: () => answered, cut: () => void onward.destroy(new Error('cut')) };
    },
    close() {
      agent.destroy();
      own?.close();
      if (own instanceof HttpServer) own.closeAllConnections();
    },
  };
}
