/**
 * Responses that a request gets before the app sees it: from the client, from Node's server, from the Functions host.
 */
import { maxHeaderSize } from 'node:http';
import type { WireRequest } from './arbitrary.ts';
import type { Seen } from './judge.ts';

/**
 * A field value has no control character and no character above one byte (RFC 9110, 5.5): a client cannot send another.
 */
export const canBeSent = ({ headers }: WireRequest): boolean =>
  headers.every((text) =>
    [...text].every((char) => char === '\t' || (char >= ' ' && char <= '\u00ff' && char !== '\u007f')),
  );

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * HTTP lets bytes above ASCII pass as they are. Kestrel, the host's server, decodes them as UTF-8 and refuses others.
 */
function isUtf8(latin1: string): boolean {
  try {
    utf8.decode(Buffer.from(latin1, 'latin1'));
    return true;
  } catch {
    return false;
  }
}

/**
 * The app's server counts the names and values of headers and the target. The host adds headers to what it forwards.
 */
const headBytesOf = ({ target, headers }: WireRequest): number => target.length + headers.join('').length;
const addedByHost = 1024;

/**
 * The status, without a body, that comes before the app; undefined: the app answers.
 *   431  the head is larger than the app's server accepts
 *   404  the path is not below the prefix of the app's routes
 *   400  a header is not UTF-8
 */
export function statusBeforeApp(wire: WireRequest, path: string, { status }: Seen): number | undefined {
  const headBytes = headBytesOf(wire);
  if (headBytes > maxHeaderSize) return 431;
  // What the host adds decides.
  if (headBytes > maxHeaderSize - addedByHost && status === 431) return 431;
  if (!path.startsWith('/api/')) return 404;
  return wire.headers.every(isUtf8) ? undefined : 400;
}
