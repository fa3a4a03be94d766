/**
 * What the kinds of secrets hold, validated before anything is read or written. Messages name the rule and never the
 * text: a URL's query string is a credential. Names and limits are those of Azure Media Services (JobInputHttp,
 * ContentKeyPolicySymmetricTokenKey, StreamingLocatorContentKey) where it had any.
 */
import { type Bytes, base64, fromBase64, utf8, wipe } from '../base/bytes.ts';
import { Refusal } from '../base/errors.ts';
import { KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { maxSecretLength } from '../crypto/secretEnvelope.ts';

const contentKeyLengths: readonly number[] = [16, 32];
/** HMAC-SHA-512 hashes keys that are longer than its block of 128 bytes, so a longer key adds nothing. */
const maxTokenKeyLength = 1024;
/** AMS: `baseUri` and each of `files` have at most 4,000 characters. */
export const maxUrlLength = 4000;
export const maxFiles = 100;

export interface JobInput {
  readonly baseUri?: string;
  readonly files: readonly string[];
}

const invalid = (target: string, message: string): Refusal => new Refusal('InvalidRequestContent', message, { target });

/** A value that is refused is a secret all the same. */
function refused(value: Bytes, target: string, message: string): Refusal {
  wipe(value);
  return invalid(target, message);
}

/** Standard base64 with padding (RFC 4648, section 4), and nothing else. The caller wipes the value. */
export function parseBase64(text: string, target: string): Bytes {
  const bytes = fromBase64(text);
  if (base64(bytes) === text) return bytes;
  throw refused(bytes, target, 'This must be base64 (RFC 4648, section 4) with padding and without line breaks.');
}

export function parseContentKey(text: string, target: string): Bytes {
  const key = parseBase64(text, target);
  if (contentKeyLengths.includes(key.byteLength)) return key;
  throw refused(key, target, 'A content key has 16 or 32 bytes.');
}

export function parseTokenKey(text: string, target: string): Bytes {
  const key = parseBase64(text, target);
  if (key.byteLength >= 1 && key.byteLength <= maxTokenKeyLength) return key;
  throw refused(key, target, `A token key has 1 to ${maxTokenKeyLength} bytes.`);
}

const scheme = /^[a-z][a-z0-9+.-]*:/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this pattern finds.
const unfit = /[\u0000-\u0020\u007f\\]/;

/** The bytes to protect: JSON in UTF-8. The caller wipes them. */
export function parseJobInput({ baseUri, files }: JobInput, target = 'properties'): Bytes {
  if (files.length === 0 || files.length > maxFiles)
    throw invalid(`${target}.files`, `There are 1 to ${maxFiles} files.`);
  if (baseUri !== undefined) checkUrl(baseUri, `${target}.baseUri`);
  for (const [n, file] of files.entries()) {
    const where = `${target}.files.${n}`;
    if (baseUri === undefined || scheme.test(file) || file.startsWith('//')) checkUrl(file, where);
    else checkText(file, where);
  }
  const bytes = utf8(JSON.stringify(baseUri === undefined ? { files } : { baseUri, files }));
  if (bytes.byteLength > maxSecretLength)
    throw refused(bytes, `${target}.files`, `All together has at most ${maxSecretLength} bytes as JSON in UTF-8.`);
  return bytes;
}

function checkText(text: string, where: string): void {
  if (text.length === 0 || text.length > maxUrlLength)
    throw invalid(where, `This has 1 to ${maxUrlLength} characters.`);
  if (unfit.test(text) || !text.isWellFormed())
    throw invalid(where, 'This contains a space, a control character, a backslash or half a character.');
}

function checkUrl(text: string, where: string): void {
  checkText(text, where);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'https:') throw invalid(where, 'This must be an absolute https URL.');
  if (url.username !== '' || url.password !== '')
    throw invalid(where, 'A URL with a user name or password is refused. Write the credential in the query string.');
}

/** What was protected. @throws KeyMaterialMismatch */
export function jobInputIn(plain: Bytes): JobInput {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plain)) as JobInput;
  } catch {
    throw new KeyMaterialMismatch('The secret holds no job input.');
  }
}

/** AMS: query strings are not returned, so that sensitive data is not exposed. */
export function withoutQueries({ baseUri, files }: JobInput): JobInput {
  const bare = { files: files.map(withoutQuery) };
  return baseUri === undefined ? bare : { baseUri: withoutQuery(baseUri), ...bare };
}

const withoutQuery = (url: string): string => url.replace(/[?#].*$/s, '');
