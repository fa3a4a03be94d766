/**
 * Whether a body is JSON, by its headers. A body that announces another format would be read as what it is not: a patch
 * format gives the same names another meaning, and compressed bytes or UTF-16 are no JSON text.
 */
import type { HttpRequest } from '@azure/functions';
import { Refusal } from '../../core/base/errors.ts';

/**
 * JSON, and the types that tools send when a caller names none: curl and PowerShell (a form), `fetch` (text), .NET
 * (bytes). Event Grid sends `application/cloudevents+json`.
 */
const accepted =
  /^(?:(?:application|text)\/json|application\/(?:[\w.-]+\+json|x-www-form-urlencoded|octet-stream)|text\/plain)$/;
const patchFormat = /[/.-]patch\+json$/;

/** @throws Refusal UnsupportedMediaType */
export function refuseOtherFormats({ headers }: HttpRequest): void {
  const [type = '', ...parameters] = (headers.get('content-type') ?? '').toLowerCase().split(';');
  const name = type.trim();
  if (patchFormat.test(name))
    throw other(
      'Content-Type',
      `${name.slice(0, 100)} is not supported: send application/json. Keyward replaces each property of the body, 'tags' for example, as a whole.`,
    );
  if (name !== '' && !accepted.test(name))
    throw other('Content-Type', `${name.slice(0, 100)} is not supported: send application/json.`);
  const charset = charsetIn(parameters);
  if (!/^(?:utf-?8|us-ascii)?$/.test(charset))
    throw other(
      'Content-Type',
      `The charset ${charset.slice(0, 100)} is not supported: send application/json in UTF-8.`,
    );
  const encoding = (headers.get('content-encoding') ?? '').trim();
  if (!/^(?:identity)?$/i.test(encoding))
    throw other('Content-Encoding', `The encoding ${encoding.slice(0, 100)} is not supported: send the body as it is.`);
}

/** Empty when no parameter names one. */
function charsetIn(parameters: readonly string[]): string {
  const named = parameters.map((one) => /^\s*charset\s*=\s*["']?([^"']*?)["']?\s*$/.exec(one)?.[1]);
  return named.find((charset) => charset !== undefined) ?? '';
}

const other = (target: string, message: string): Refusal => new Refusal('UnsupportedMediaType', message, { target });
