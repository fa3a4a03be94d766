/**
 * The core with a leased key (both layers, headers, binding, subkeys) beside bare node:crypto calls of the same two
 * ciphers, with random nonces and tags and no AAD. 16-byte values. Rounds of both take turns, so that a busy machine
 * slows them equally. The figure is the median of the rounds' ratios.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { protectSecret, revealSecret } from '../../src/core/accounts/secretLayers.ts';
import { type Bytes, bytesOf } from '../../src/core/base/bytes.ts';
import type { Cipher } from '../../src/core/crypto/accountKeyEnvelope.ts';
import type { Bench } from '../report.ts';
import { median } from '../timing.ts';

const rounds = 31;
const operationsARound = 2_000;

const random = { bytes: (length: number) => bytesOf(randomBytes(length)), uuid: () => '' };
const plain = random.bytes(16);
const layers = [
  { algorithm: 'aes-256-gcm', key: random.bytes(32) },
  { algorithm: 'chacha20-poly1305', key: random.bytes(32) },
] as const;

interface Sealed {
  readonly nonce: Uint8Array;
  readonly text: Uint8Array;
  readonly tag: Uint8Array;
}

function rawSeal(algorithm: Cipher, key: Bytes, text: Uint8Array): Sealed {
  const nonce = randomBytes(12);
  const cipher = createCipheriv(algorithm as 'aes-256-gcm', key, nonce, { authTagLength: 16 });
  const sealed = cipher.update(text);
  cipher.final();
  return { nonce, text: sealed, tag: cipher.getAuthTag() };
}

function rawOpen(algorithm: Cipher, key: Bytes, { nonce, text, tag }: Sealed): Uint8Array {
  const decipher = createDecipheriv(algorithm as 'aes-256-gcm', key, nonce, { authTagLength: 16 });
  decipher.setAuthTag(tag);
  const opened = decipher.update(text);
  decipher.final();
  return opened;
}

/** Operations per second. */
function rate(operation: () => unknown): number {
  const began = performance.now();
  for (let n = 0; n < operationsARound; n++) operation();
  return (operationsARound * 1000) / (performance.now() - began);
}

function ratioOf(ours: () => unknown, raw: () => unknown): number {
  const ratios = Array.from({ length: rounds }, (_, n) => {
    if (n % 2 === 0) return rate(ours) / rate(raw);
    const bare = rate(raw);
    return rate(ours) / bare;
  });
  return median(ratios);
}

const ciphers: Bench = async (report) => {
  const [inside, outside] = layers;
  const accountKey = random.bytes(32);
  const kek = { generation: 1, key: random.bytes(32) };
  const atRest = { newest: kek, kek: () => kek };
  const instanceId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
  const place = {
    instanceId,
    account: 'contoso',
    kind: 'contentKeys',
    name: '9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001',
  } as const;
  const protect = () => protectSecret(plain, { ...place, generation: 1 }, accountKey, atRest, random);
  const stored = protect();
  const inner = rawSeal(inside.algorithm, inside.key, plain);
  const outer = rawSeal(outside.algorithm, outside.key, inner.text);

  report.progress('protecting, beside the bare ciphers');
  const protecting = ratioOf(protect, () =>
    rawSeal(outside.algorithm, outside.key, rawSeal(inside.algorithm, inside.key, plain).text),
  );
  report.figure('secrets.protectOfRawCrypto', protecting, 'of raw', { atLeast: 0.5 });

  report.progress('revealing, beside the bare ciphers');
  const holder = { name: 'contoso', instanceId, accountKeyGeneration: 1 };
  const revealing = ratioOf(
    () => revealSecret(stored, place, accountKey, holder, atRest),
    () => rawOpen(inside.algorithm, inside.key, { ...inner, text: rawOpen(outside.algorithm, outside.key, outer) }),
  );
  report.figure('secrets.revealOfRawCrypto', revealing, 'of raw', { atLeast: 0.5 });
};

export default ciphers;
