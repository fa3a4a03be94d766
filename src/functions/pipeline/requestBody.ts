/**
 * Bodies: limited before they are read, read once, and parsed by a schema. With HTTP streaming the process holds no
 * body before a handler reads it, so a caller without permission cannot fill the memory. Measured: one body of 100 MB
 * increased the memory of a worker from 92 to 598 MiB.
 */
import type { HttpRequest } from '@azure/functions';
import type * as z from 'zod';
import { type Bytes, bytesOf, concat } from '../../core/base/bytes.ts';
import { Refusal } from '../../core/base/errors.ts';
import { refuseOtherFormats } from './bodyFormat.ts';
import { repeatedNameIn } from './repeatedName.ts';

const maxBodyBytes = 64 * 1024;
/** Enough to correct a body, and few enough that the answer to a hostile body stays small. */
const maxDetails = 20;

/** The stream of a body can be read once. An audited refusal needs the body again (auditedRefusals.ts). */
const bodies = new WeakMap<HttpRequest, Promise<Bytes>>();

function bodyOf(request: HttpRequest, maxBytes: number): Promise<Bytes> {
  const body = bodies.get(request) ?? readLimited(request, maxBytes);
  bodies.set(request, body);
  return body;
}

/** Content-Length decides before a byte is read. When it is absent or wrong, the count of bytes decides. */
async function readLimited(request: HttpRequest, maxBytes: number): Promise<Bytes> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Bytes[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    // Leaving the loop cancels the stream.
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(bytesOf(chunk));
  }
  return concat(...chunks);
}

const tooLarge = (maxBytes: number): Refusal =>
  new Refusal('RequestTooLarge', `The body is larger than ${maxBytes} bytes. Send a smaller one.`, { target: 'body' });

/** The body as JSON. @throws Refusal RequestTooLarge | UnsupportedMediaType | InvalidRequestContent */
export async function readJson(request: HttpRequest, maxBytes = maxBodyBytes): Promise<unknown> {
  refuseOtherFormats(request);
  const bytes = await bodyOf(request, maxBytes);
  let text: string;
  let body: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    body = JSON.parse(text);
  } catch (error) {
    // The answer quotes only the position from the parser's message. The rest quotes the body, which can hold a secret.
    const [, index] = /at position (\d+)/.exec(String(error)) ?? [];
    const where = index === undefined ? '' : ` The fault is at position ${Number(index) + 1}.`;
    const what = bytes.byteLength === 0 ? 'The call needs a JSON body.' : `The body is not JSON in UTF-8.${where}`;
    throw new Refusal('InvalidRequestContent', what, { target: 'body' });
  }
  const half = /\\u[dD][89A-Fa-f]/.test(text) ? pathOfHalfCharacter(body) : undefined;
  if (half !== undefined) throw invalidAt(half, 'holds half of a surrogate pair. Write complete characters.');
  const twice = repeatedNameIn(text);
  if (twice === undefined) return body;
  throw invalidAt(twice.path, `is in its object twice, the second time at position ${twice.position}. Send it once.`);
}

function invalidAt(path: string, what: string): Refusal {
  const target = path.slice(0, 200) || 'body';
  return new Refusal('InvalidRequestContent', `'${target}' ${what}`, { target });
}

/** JSON can escape half of a surrogate pair. Such a string has no UTF-8 and no canonical form (RFC 8785, 3.2.2.2). */
function pathOfHalfCharacter(body: unknown): string | undefined {
  const left: [path: string, value: unknown][] = [['', body]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [path, value] = next;
    if (typeof value === 'string' && !value.isWellFormed()) return path || 'body';
    for (const [key, inner] of typeof value === 'object' ? Object.entries(value ?? {}) : []) {
      if (!key.isWellFormed()) return path || 'body';
      left.push([path === '' ? key : `${path}.${key}`, inner]);
    }
  }
  return undefined;
}

/** Parses input by its schema. @throws Refusal InvalidRequestContent that names every invalid field */
export function parsed<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const details = result.error.issues.slice(0, maxDetails).map((issue) => {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 5) : [];
    const target = [...issue.path, ...unknown].map(String).join('.').slice(0, 200) || 'body';
    return { code: 'InvalidRequestContent' as const, message: issue.message.slice(0, 300), target };
  });
  const { target = 'body', message = '' } = details[0] ?? {};
  throw new Refusal('InvalidRequestContent', `The body is not valid at '${target}': ${message}`, { target, details });
}
