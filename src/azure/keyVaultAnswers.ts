/**
 * The two responses of Key Vault that Keyward uses, by schema. Any other response is UnknownResponse, never an error of
 * Keyward. Shapes: Azure/azure-rest-api-specs, keyvault data plane, `KeyBundle` and `KeyOperationResult`. Unknown
 * fields are ignored, because the service adds some with each version. The limits are far above what the service sends.
 */
import * as z from 'zod';

const base64url = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .regex(/^[\w-]*={0,2}$/);

/** Seconds since 1970, up to the year 9999, because JavaScript's dates have a smaller range than integers. */
const seconds = z.int().min(0).max(253_402_300_799).nullish();

/** A code of a closed list. Any other text of a vault stays out of answers, logs and the audit. */
const word = z.string().regex(/^[\w+-]{1,64}$/);

/** `https://<vault>/keys/<name>/<version>` */
const versionedKid = z
  .string()
  .max(400)
  .regex(/^https:\/\/[^/]+\/keys\/[0-9a-z-]+\/[0-9a-f]{32}$/i);

const bytesIn = (text: string) => Buffer.from(text, 'base64url');
const isOdd = (bytes: Buffer) => (bytes.at(-1) ?? 0) % 2 === 1;

/** OpenSSL throws an error for an even modulus. A product of two odd primes is odd. */
const modulus = base64url(2048).refine((text) => isOdd(bytesIn(text)));

/** An odd exponent of 3 or more, with at most 8 bytes: RSA needs it, and OpenSSL accepts it. */
const exponent = base64url(12).refine((text) => {
  const bytes = bytesIn(text);
  return bytes.byteLength <= 8 && isOdd(bytes) && !bytes.equals(one);
});
const one = Buffer.from([1]);

const keyBundle = z.object({
  key: z.object({
    kid: versionedKid,
    kty: word,
    key_ops: z.array(word).max(32).nullish(),
    n: modulus.nullish(),
    e: exponent.nullish(),
  }),
  attributes: z.object({
    enabled: z.boolean().nullish(),
    nbf: seconds,
    exp: seconds,
    recoveryLevel: word.nullish(),
  }),
  tags: z
    .record(z.string().max(512), z.string().max(512))
    .refine((tags) => Object.keys(tags).length <= 64)
    .nullish(),
});

export type KeyBundle = z.infer<typeof keyBundle>;

const operationResult = z.object({ kid: versionedKid, value: base64url(1024) });

/** The key in the response; undefined when it is no key, or another one than `keyName`. */
export function keyBundleIn(body: unknown, keyName: string): KeyBundle | undefined {
  const bundle = keyBundle.safeParse(body).data;
  return bundle !== undefined && isOfKey(bundle.key.kid, keyName) ? bundle : undefined;
}

/**
 * Whether the response is the result of an operation by exactly this version of the key: no other version proves
 * anything about it.
 */
export function isResultOf(body: unknown, keyName: string, version: string): boolean {
  const result = operationResult.safeParse(body).data;
  return result !== undefined && isOfKey(result.kid, keyName) && versionIn(result.kid) === version.toLowerCase();
}

export const versionIn = (kid: string): string => kid.slice(kid.lastIndexOf('/') + 1).toLowerCase();

const isOfKey = (kid: string, keyName: string): boolean =>
  kid.toLowerCase().includes(`/keys/${keyName.toLowerCase()}/`);
