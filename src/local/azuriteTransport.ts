/**
 * Azurite's answers without a socket: the SDK's request goes to the request listener of a server in this process.
 * Azurite does the same work as for a request on the wire, and a call costs about 60 % of one on the wire.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createHttpHeaders, type HttpClient, type PipelineRequest } from '@azure/core-rest-pipeline';
import type { AzuriteServer } from './azuriteLibrary.ts';

export const inProcess = ({ httpServer }: Pick<AzuriteServer, 'httpServer'>): HttpClient => ({
  async sendRequest(request) {
    const incoming = incomingOf(request);
    const response = new ServerResponse(incoming);
    const body = bodyWrittenTo(response);
    httpServer.emit('request', incoming, response);
    const bodyAsText = await body;
    const headers = createHttpHeaders();
    for (const [name, value] of Object.entries(response.getHeaders())) headers.set(name, String(value));
    return { request, status: response.statusCode, headers, bodyAsText };
  },
});

/** As the HTTP parser gives it to a listener. */
function incomingOf({ method, url, headers, body }: PipelineRequest): IncomingMessage {
  const { host, pathname, search } = new URL(url);
  if (typeof body !== 'string' && body !== undefined && body !== null)
    throw new TypeError('The SDK of tables sends text.');
  const bytes = Buffer.from(body ?? '');
  const all = { ...headers.toJSON(), host, 'content-length': String(bytes.length) };
  const incoming = new IncomingMessage(new Socket());
  Object.assign(incoming, {
    method,
    url: pathname + search,
    httpVersion: '1.1',
    headers: all,
    rawHeaders: Object.entries(all).flat(),
    complete: true,
  });
  if (bytes.length > 0) incoming.push(bytes);
  incoming.push(null);
  return incoming;
}

type Done = () => void;

/** Resolves to the text that the listener has written when it ends the response. */
function bodyWrittenTo(response: ServerResponse): Promise<string> {
  const parts: Buffer[] = [];
  const add = (chunk: unknown, encoding: unknown) => {
    if (typeof chunk === 'string') parts.push(Buffer.from(chunk, (encoding as BufferEncoding) ?? 'utf8'));
    else if (chunk instanceof Uint8Array) parts.push(Buffer.from(chunk));
  };
  const later = (...parameters: unknown[]) => {
    for (const done of parameters) if (typeof done === 'function') process.nextTick(done as Done);
  };
  return new Promise((resolve) => {
    // Properties of the object itself: Express replaces the prototype of a response.
    response.write = ((chunk: unknown, encoding?: unknown, done?: unknown) => {
      add(chunk, typeof encoding === 'string' ? encoding : undefined);
      later(encoding, done);
      return true;
    }) as ServerResponse['write'];
    response.end = ((chunk?: unknown, encoding?: unknown, done?: unknown) => {
      add(chunk, typeof encoding === 'string' ? encoding : undefined);
      later(
        chunk,
        encoding,
        done,
        () => response.emit('finish'),
        () => response.emit('close'),
      );
      process.nextTick(() => resolve(Buffer.concat(parts).toString()));
      return response;
    }) as ServerResponse['end'];
  });
}
