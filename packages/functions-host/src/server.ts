/** The HTTP server of a host: keep-alive, a bound on bodies, and a stop that waits for open requests. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answer, BodyTooLarge, requestUrl } from './httpMessage.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>;

export interface Server {
  url: string;
  /** Accepts no more requests (503 on open connections), and waits until the current ones are answered. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Kestrel's limit for an idle connection, so that the server does not close a pooled connection under a new request.
 */
const keepAliveMs = 130_000;
const maxHeaderBytes = 32 * 1024;

export async function startServer(
  { port, maxBodyBytes }: { port: number; maxBodyBytes: number },
  handler: Handler,
  onError: (error: unknown) => void,
): Promise<Server> {
  let draining = false;
  const open = new Set<Promise<void>>();

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (draining) response.setHeader('connection', 'close');
    try {
      if (draining) return answer(response, 503);
      if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw new BodyTooLarge(maxBodyBytes);
      const url = requestUrl(request);
      if (url === undefined) return answer(response, 400);
      await handler(request, response, url);
    } catch (error) {
      onError(error);
      if (!response.headersSent) answer(response, 500);
      else response.destroy();
    } finally {
      // An unread body must not block the connection.
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
