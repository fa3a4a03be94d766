/**
 * HTTP messages between Node's server and the worker's shapes: the whole body at once (no HTTP streaming), repeated
 * headers and query names joined by commas, as .NET prints them; an answer's cookies are not served.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RpcHttp } from './rpc.ts';

/** Kestrel's limit as the Functions host sets it. */
export const maxBodyBytes = 100 * 1024 * 1024;

export const header = (request: IncomingMessage, name: string): string | undefined =>
  request.headersDistinct[name]?.join(',');

/** The parsed target; undefined when it or the Host header is nonsense. */
export function requestUrl(request: IncomingMessage): URL | undefined {
  const target = request.url ?? '/';
  return (
    URL.parse(`http://${request.headers.host ?? 'localhost'}${target.startsWith('/') ? target : '/'}`) ?? undefined
  );
}

export function answer(response: ServerResponse, status: number, json?: unknown): void {
  if (json === undefined) response.writeHead(status, { 'content-length': 0 }).end();
  else response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(json));
}

/** `undefined` when the caller went away before the end. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

/** Repeated names become one value with commas, as .NET's StringValues print. */
function joined(pairs: Iterable<[string, string]>): Record<string, string> {
  const result: Record<string, string> = {};
  const spelling = new Map<string, string>();
  for (const [name, value] of pairs) {
    const key = spelling.get(name.toLowerCase()) ?? name;
    spelling.set(name.toLowerCase(), key);
    result[key] = result[key] === undefined ? value : `${result[key]},${value}`;
  }
  return result;
}

export function toRpcRequest(
  request: IncomingMessage,
  url: URL,
  params: Record<string, string>,
  body: Buffer,
): RpcHttp {
  const headers = Object.entries(request.headersDistinct).map(([name, values]) => [name, (values ?? []).join(',')]);
  return {
    method: request.method ?? 'GET',
    url: url.href,
    headers: Object.fromEntries(headers),
    query: joined(url.searchParams),
    params,
    body: body.length > 0 ? { bytes: body } : null,
  };
}

export function sendRpcResponse(response: ServerResponse, result: RpcHttp, head: boolean): void {
  const { body } = result;
  const bytes = Buffer.from(body?.bytes ?? body?.string ?? body?.json ?? '');
  const status = Number(result.statusCode ?? 200);
  for (const [name, value] of Object.entries(result.headers ?? {})) {
    // The length and the framing are this server's to say.
    if (!/^(content-length|transfer-encoding|connection)$/i.test(name)) response.setHeader(name, value);
  }
  const bodiless = status === 204 || status === 304;
  if (!bodiless) response.setHeader('content-length', bytes.length);
  response.writeHead(status).end(head || bodiless ? undefined : bytes);
}
