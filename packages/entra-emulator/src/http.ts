/** Reads request bodies and sends answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** An object is sent as JSON, a string as it is. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> | undefined };

const MAX_BODY_BYTES = 256 * 1024;

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Error(`The body is longer than ${MAX_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const isText = typeof body === 'string';
  response.writeHead(status, {
    'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
  });
  if (body === undefined) response.end();
  else response.end(isText ? body : `${JSON.stringify(body, null, 2)}\n`);
}
