/**
 * `npm run verify-receipt FILE`: verifies a saved answer of
 * `GET /api/operator/accounts/{name}/revocationReceipts`, or one JWS, offline. It needs no service and no network.
 * The answer holds the public keys. Another file of keys, saved from `GET /api/audit/jwks`, replaces them:
 * `npm run verify-receipt FILE -- --keys jwks.json`. Exit code 1: a signature is not valid.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { calculateJwkThumbprint, compactVerify, createLocalJWKSet, decodeProtectedHeader, type JWK } from 'jose';
import * as z from 'zod';
import { checkpointType } from '../src/core/attestation/checkpoint.ts';
import { receiptType } from '../src/core/attestation/revocationReceipt.ts';

/** A JWS of Keyward that was verified. */
export interface VerifiedText {
  readonly typ: string;
  /** Of the key that signed, which was computed from the key itself. */
  readonly kid: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

const signed = { receipt: z.string().optional(), checkpoint: z.string().optional() };
const savedAnswer = z.object({
  ...signed,
  receipts: z.array(z.object(signed)).optional(),
  value: z.array(z.object(signed)).optional(),
  keys: z.array(z.looseObject({ kty: z.string() })).optional(),
});

const types: readonly unknown[] = [receiptType, checkpointType];

/** @throws Error that says why the text is not what Keyward signed with one of the keys */
export async function verifyText(jws: string, keys: readonly JWK[]): Promise<VerifiedText> {
  const { typ, kid } = decodeProtectedHeader(jws);
  if (!types.includes(typ))
    throw new Error(`The JWS is neither a receipt nor a checkpoint of Keyward: typ is '${typ}'.`);
  const key = keys.find((one) => one.kid === kid);
  if (key === undefined) throw new Error(`No given key has the kid '${kid}'. Save GET /api/audit/jwks, pass --keys.`);
  if ((await calculateJwkThumbprint(key)) !== kid)
    throw new Error(`The key '${kid}' is not the key of that thumbprint.`);
  const { payload } = await compactVerify(jws, createLocalJWKSet({ keys: [key] }), { algorithms: ['EdDSA'] });
  const claims = JSON.parse(new TextDecoder().decode(payload)) as VerifiedText['claims'];
  return { typ: String(typ), kid, claims };
}

/** The JWS texts and keys of a file. @throws Error */
export function textsIn(content: string): { readonly texts: readonly string[]; readonly keys: readonly JWK[] } {
  const text = content.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return { texts: [text], keys: [] };
  const { receipts = [], value = [], keys = [], ...one } = savedAnswer.parse(JSON.parse(text));
  const texts = [...receipts, ...value, one].flatMap(({ receipt, checkpoint }) => receipt ?? checkpoint ?? []);
  if (texts.length === 0) throw new Error('The file holds no receipt and no checkpoint.');
  return { texts, keys: keys as JWK[] };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { keys: { type: 'string' } } });
  const [file] = positionals;
  if (file === undefined) throw new Error('Name the file: npm run verify-receipt FILE');
  const { texts, keys } = textsIn(readFileSync(file, 'utf8'));
  const given =
    values.keys === undefined ? keys : (JSON.parse(readFileSync(values.keys, 'utf8')) as { keys: JWK[] }).keys;
  for (const text of texts) {
    const { typ, kid, claims } = await verifyText(text, given);
    console.log(`valid: ${typ}, signed with ${kid}\n${JSON.stringify(claims, undefined, 2)}`);
  }
  if (values.keys === undefined)
    console.log('The keys are from the file itself. Compare their kid with GET /api/audit/jwks of the service.');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await main().catch((error: unknown) => {
    console.error(`not valid: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  });
