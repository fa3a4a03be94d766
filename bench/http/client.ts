/** An HTTP client with keep-alive connections and little overhead, because the bench measures the response. */
import { Agent, type OutgoingHttpHeaders, request } from 'node:http';

export interface Answered {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

export interface Client {
  call(method: string, path: string, body?: unknown, headers?: OutgoingHttpHeaders): Promise<Answered>;
  close(): void;
}

export function keepAliveClient(url: string, functionKey: string, connections: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const { hostname, port } = new URL(url);
  return {
    call(method, path, body, more = {}) {
      const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const length =
        sent === undefined ? {} : { 'content-length': sent.byteLength, 'content-type': 'application/json' };
      const headers = { 'x-functions-key': functionKey, ...length, ...more };
      return new Promise((resolve, reject) => {
        const sending = request({ agent, hostname, port, method, path, headers, timeout: 30_000 }, (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({
              status: answer.statusCode ?? 0,
              retryAfter: answer.headers['retry-after'],
              text: Buffer.concat(chunks).toString(),
            }),
          );
        });
        sending.on('timeout', () => sending.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
        sending.on('error', reject);
        sending.end(sent);
      });
    },
    close: () => agent.destroy(),
  };
}
