/**
 * The key status: Keyward's signed statement about an account's key at one time (docs/envelope.md of Keyward, "Key
 * status"). Plaintext that came with it may be used until `notAfter` and never after. A compact JWS (RFC 7515) by
 * Ed25519 (RFC 8037), which this file verifies.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { KeyStatusError } from './errors.ts';

export interface KeyStatus {
  /** In lower case. */
  readonly account: string;
  /** Of this account only: a later account of the same name has another. */
  readonly accountId: string;
  /** The newest generation of the account key. */
  readonly accountKeyGeneration: number;
  /** Counts verdicts on the customer key; 0 under the system key. */
  readonly epoch: number;
  /** The customer key, as events about keys name it. Absent under the system key. */
  readonly binding?: string;
  /** Milliseconds since 1970, by Keyward's clock. */
  readonly issuedAt: number;
  readonly notAfter: number;
  /** The account permits no cache: the plaintext of this answer is used at once, and once. */
  readonly once: boolean;
  /** The cause when the account is refused. Absent: it is not. */
  readonly cause?: string;
}

/** The longest span of any status: Keyward's longest lease and grace, in milliseconds. */
export const longestMs = 900_000;
const maxLength = 4096;
const form = /^([\w-]+)\.([\w-]+)\.([\w-]{86})$/;

export type KeyOf = (kid: string) => Promise<KeyObject>;

export interface Expected {
  readonly account: string;
  /** The random text of the request. It shows that the status was made for this request. */
  readonly nonce: string;
}

/** @throws KeyStatusError when the status is forged, malformed, of another account, or of another request */
export async function verifyKeyStatus(jws: unknown, expected: Expected, keyOf: KeyOf): Promise<KeyStatus> {
  const [, head = '', body = '', signature = ''] =
    (typeof jws === 'string' && jws.length <= maxLength && form.exec(jws)) || [];
  const { alg, kid, typ, crit } = objectIn(head);
  if (alg !== 'EdDSA' || typ !== 'keyward-key-status' || typeof kid !== 'string' || crit !== undefined)
    throw new KeyStatusError('The key status has no header that this client accepts.');
  const key = await keyOf(kid);
  if (!verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')))
    throw new KeyStatusError('The signature of the key status does not verify.');
  const claims = objectIn(body);
  if (claims.nonce !== expected.nonce) throw new KeyStatusError('The key status was not made for this request.');
  if (claims.account !== expected.account) throw new KeyStatusError('The key status is of another account.');
  return statusOf(claims);
}

function statusOf(claims: Record<string, unknown>): KeyStatus {
  const { account, accountId, accountKeyGeneration, epoch, binding, once, cause } = claims;
  const [issuedAt, notAfter] = [timeIn(claims.issuedAt), timeIn(claims.notAfter)];
  const isWhole =
    typeof account === 'string' &&
    typeof accountId === 'string' &&
    isCount(accountKeyGeneration) &&
    isCount(epoch) &&
    isTextOrAbsent(binding) &&
    isTextOrAbsent(cause) &&
    (once === undefined || once === true) &&
    issuedAt <= notAfter &&
    notAfter - issuedAt <= longestMs;
  if (!isWhole) throw new KeyStatusError('The key status lacks a claim, or holds one that cannot be.');
  return {
    account,
    accountId,
    accountKeyGeneration,
    epoch,
    issuedAt,
    notAfter,
    once: once === true,
    ...(binding === undefined ? {} : { binding }),
    ...(cause === undefined ? {} : { cause }),
  };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isTextOrAbsent = (value: unknown): value is string | undefined =>
  value === undefined || typeof value === 'string';

/** ISO 8601 with milliseconds, in UTC: Keyward writes no other form. */
function timeIn(value: unknown): number {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) || new Date(at).toISOString() !== value ? Number.NaN : at;
}

function objectIn(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url')));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Refused below, like any other text that is not an object.
  }
  throw new KeyStatusError('The key status is no JWS of JSON objects.');
}

const maxKeys = 20;

/**
 * The Ed25519 keys of a JWK set by their ids. Other entries are left out. @throws KeyStatusError when it is not a JWK
 * set
 */
export function keysIn(jwks: unknown): Map<string, KeyObject> {
  const listed: unknown = typeof jwks === 'object' && jwks !== null ? (jwks as { keys?: unknown }).keys : undefined;
  if (!Array.isArray(listed) || listed.length > maxKeys)
    throw new KeyStatusError(`The public keys of key statuses are no JWK set of at most ${maxKeys} keys.`);
  const keys = new Map<string, KeyObject>();
  for (const { kid, kty, crv, x } of listed.filter((one) => typeof one === 'object' && one !== null)) {
    const isOurs = kty === 'OKP' && crv === 'Ed25519' && typeof kid === 'string' && /^[\w-]{43}$/.test(String(x));
    if (isOurs && !keys.has(kid)) keys.set(kid, createPublicKey({ key: { kty, crv, x }, format: 'jwk' }));
  }
  return keys;
}
