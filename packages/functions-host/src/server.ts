/** The one HTTP server of a host: keep-alive, a bound on bodies, and an end that waits for what is open. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answer, maxBodyBytes, requestUrl } from './httpMessage.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>;

export interface Server {
  url: string;
  /** Takes no more requests (503 on connections still open), and waits for those under way to be answered. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Kestrel's time for an idle connection, so that a client's pooled connection is not cut under a new request. */
const keepAliveMs = 130_000;
const maxHeaderBytes = 32 * 1024;

export async function startServer(port: number, handler: Handler, onError: (error: unknown) => void): Promise<Server> {
  let draining = false;
  const open = new Set<Promise<void>>();

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (draining) response.setHeader('connection', 'close');
    try {
      if (draining) return answer(response, 503);
      if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return answer(response, 413);
      const url = requestUrl(request);
      if (url === undefined) return answer(response, 400);
      await handler(request, response, url);
    } catch (error) {
      onError(error);
      if (!response.headersSent) answer(response, 500);
      else response.destroy();
    } finally {
      // A body that nobody wanted must not block the connection.
      request.resume();
    }
  }

  const server = createServer({ keepAliveTimeout: keepAliveMs, maxHeaderSize: maxHeaderBytes }, (request, response) => {
    const done = respond(request, response);
    open.add(done);
    void done.finally(() => open.delete(done));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  server.on('error', onError);

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async drain() {
      draining = true;
      server.close();
      server.closeIdleConnections();
      while (open.size > 0) await Promise.all(open);
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.once('close', resolve));
      const listening = server.listening;
      server.close();
      server.closeAllConnections();
      if (listening) await closed;
    },
  };
}
