/** The cryptography behind the key operations, by node:crypto. */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  privateDecrypt,
  privateEncrypt,
  publicEncrypt,
} from 'node:crypto';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);

export const RSA_SIZES = [2048, 3072, 4096] as const;

/** Key Vault's curve names with those of OpenSSL. Source: azure-rest-api-specs, JsonWebKeyCurveName. */
export const CURVES: Readonly<Record<string, string>> = {
  'P-256': 'prime256v1',
  'P-256K': 'secp256k1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
};

/** The curve that node:crypto and RFC 8812 name `secp256k1` is `P-256K` in Key Vault's JWKs. */
const vaultCurve = (crv: string | undefined) => (crv === 'secp256k1' ? 'P-256K' : crv);
const nodeCurve = (crv: unknown) => (crv === 'P-256K' ? 'secp256k1' : crv);

type Padding = { padding: number; oaepHash?: string };

/** RFC 7518 4.3: RSA-OAEP uses SHA-1, RSA-OAEP-256 uses SHA-256, for the hash and the mask both. */
const paddings: Readonly<Record<string, Padding>> = {
  RSA1_5: { padding: constants.RSA_PKCS1_PADDING },
  'RSA-OAEP': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  'RSA-OAEP-256': { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
};

export function isRsaAlgorithm(alg: string): boolean {
  return Object.hasOwn(paddings, alg);
}

export async function generateRsa(size: number): Promise<KeyObject> {
  return (await generate('rsa', { modulusLength: size })).privateKey;
}

export async function generateEc(curve: string): Promise<KeyObject> {
  return (await generate('ec', { namedCurve: CURVES[curve] ?? curve })).privateKey;
}

/** Undefined when the value is longer than the key and the padding allow. */
export function encrypt(key: KeyObject, alg: string, value: Buffer): Buffer | undefined {
  try {
    return publicEncrypt({ key: createPublicKey(key), ...paddings[alg] }, value);
  } catch {
    return undefined;
  }
}

/** Undefined when the value was not encrypted by this key with this algorithm. */
export function decrypt(key: KeyObject, alg: string, value: Buffer): Buffer | undefined {
  try {
    return privateDecrypt({ key, ...paddings[alg] }, value);
  } catch {
    return undefined;
  }
}

/** RFC 8017 9.2, note 1: what precedes the digest in a PKCS #1 signature. RFC 7518 3.3: the names. */
const digestInfos: Readonly<Record<string, { readonly prefix: string; readonly length: number }>> = {
  RS256: { prefix: '3031300d060960864801650304020105000420', length: 32 },
  RS384: { prefix: '3041300d060960864801650304020205000430', length: 48 },
  RS512: { prefix: '3051300d060960864801650304020305000440', length: 64 },
};

export function isSignatureAlgorithm(alg: string): boolean {
  return Object.hasOwn(digestInfos, alg);
}

/** Undefined when the value is no digest of the algorithm. */
export function sign(key: KeyObject, alg: string, digest: Buffer): Buffer | undefined {
  const info = digestInfos[alg];
  if (info === undefined || digest.byteLength !== info.length) return undefined;
  const padding = constants.RSA_PKCS1_PADDING;
  return privateEncrypt({ key, padding }, Buffer.concat([Buffer.from(info.prefix, 'hex'), digest]));
}

/** The public members of a JWK, as in a key bundle. */
export function publicJwk(key: KeyObject): Record<string, string> {
  const { n, e, crv, x, y } = createPublicKey(key).export({ format: 'jwk' });
  return Object.fromEntries(
    Object.entries({ n, e, crv: vaultCurve(crv), x, y }).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

export type KeyShape = { family: 'RSA'; size: number } | { family: 'EC'; curve: string };

export function shapeOf(key: KeyObject): KeyShape | undefined {
  if (key.asymmetricKeyType === 'rsa') return { family: 'RSA', size: key.asymmetricKeyDetails?.modulusLength ?? 0 };
  const curve = Object.entries(CURVES).find(([, name]) => name === key.asymmetricKeyDetails?.namedCurve)?.[0];
  return curve === undefined ? undefined : { family: 'EC', curve };
}

/** Parses a private key in JWK form; undefined when it is none. */
export function fromJwk(jwk: Record<string, unknown>): KeyObject | undefined {
  try {
    const kty = typeof jwk.kty === 'string' ? jwk.kty.replace(/-HSM$/, '') : jwk.kty;
    const crv = jwk.crv === undefined ? {} : { crv: nodeCurve(jwk.crv) };
    return createPrivateKey({ key: { ...jwk, kty, ...crv } as JsonWebKeyInput, format: 'jwk' });
  } catch {
    return undefined;
  }
}

export function fromPem(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

type JsonWebKeyInput = Parameters<typeof createPrivateKey>[0] extends infer Input
  ? Input extends { key: infer Jwk; format: 'jwk' }
    ? Jwk
    : never
  : never;

/** Strict base64url; undefined for text that the service does not accept. */
export function fromBase64url(text: unknown): Buffer | undefined {
  if (typeof text !== 'string' || text === '' || !/^[A-Za-z0-9_-]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, 'base64url');
}
