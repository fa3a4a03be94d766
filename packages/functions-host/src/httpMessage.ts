/**
 * HTTP messages between Node's server and the worker's shapes: the whole body at once (streaming is in httpStream.ts),
 * repeated headers and query names joined by commas as .NET prints them. Cookies of an answer are not served.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RpcHttp } from './rpc.ts';
import { lookUp, type Settings } from './settings.ts';

/** In bytes (azure-functions-host, ScriptConstants.DefaultMaxRequestBodySize). */
const defaultMaxBodyBytes = 100 * 1024 * 1024;

/** The bound on request bodies, which a setting can change. @throws Error for a value that is no number of bytes */
export function maxBodyBytesOf(settings: Settings): number {
  const text = lookUp(settings, 'FUNCTIONS_REQUEST_BODY_SIZE_LIMIT');
  if (text === undefined || text === '') return defaultMaxBodyBytes;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Error(`The setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT must be a number of bytes, not '${text}'`);
}

/** The host answers 500 with an empty body, not 413 (azure-functions-host, HttpRequestBodySizeMiddleware). */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
  constructor(maxBytes: number) {
    super(`The request body is larger than ${maxBytes} bytes (FUNCTIONS_REQUEST_BODY_SIZE_LIMIT)`);
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A header as Kestrel decodes it, in UTF-8, while Node decodes Latin-1. A value with a character above U+00FF then
 * fails in the worker, whose headers are byte strings. @throws TypeError for bytes that are not UTF-8
 */
const utf8Of = (latin1: string): string => strictUtf8.decode(Buffer.from(latin1, 'latin1'));

export const header = (request: IncomingMessage, name: string): string | undefined =>
  request.headersDistinct[name]?.join(',');

/** Every header, with repeated values joined. Undefined when a value is not UTF-8, for which Kestrel answers 400. */
export function headersOf(request: IncomingMessage): Record<string, string> | undefined {
  try {
    return Object.fromEntries(
      Object.entries(request.headersDistinct).map(([name, values]) => [name, utf8Of((values ?? []).join(','))]),
    );
  } catch {
    return undefined;
  }
}

/** The scheme that the caller used, which a front end with TLS states in a header, as Azure's does. */
export const schemeOf = ({ headers }: IncomingMessage): 'http' | 'https' =>
  headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';

/** The parsed target; undefined when it or the Host header is invalid. */
export function requestUrl(request: IncomingMessage): URL | undefined {
  const path = request.url?.startsWith('/') ? request.url : '/';
  return URL.parse(`${schemeOf(request)}://${request.headers.host ?? 'localhost'}${path}`) ?? undefined;
}

export function answer(response: ServerResponse, status: number, json?: unknown): void {
  if (json === undefined) response.writeHead(status, { 'content-length': 0 }).end();
  else response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(json));
}

/** `undefined` when the caller closed the connection before the end. @throws BodyTooLarge */
export function readBody(
  request: IncomingMessage,
  maxBytes: number = defaultMaxBodyBytes,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    // Not by iteration, whose early end would destroy the connection before the answer.
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else reject(new BodyTooLarge(maxBytes));
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', () => resolve(undefined)).once('close', () => resolve(undefined));
  });
}

/** Repeated names become one value with commas, as .NET prints StringValues. */
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
  headers: Record<string, string>,
  params: Record<string, string>,
  body: Buffer,
): RpcHttp {
  return {
    method: request.method ?? 'GET',
    url: url.href,
    headers,
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
    // This server sets the length and the framing.
    if (!/^(content-length|transfer-encoding|connection)$/i.test(name)) response.setHeader(name, value);
  }
  const bodiless = status === 204 || status === 304;
  if (!bodiless) response.setHeader('content-length', bytes.length);
  response.writeHead(status).end(head || bodiless ? undefined : bytes);
}
