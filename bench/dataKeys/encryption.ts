/**
 * The client's encryption in bulk, warm: 16 KiB beside AES-256-GCM of node:crypto with a key object, a random nonce and
 * one buffer as result; and 1 KiB beside the AWS Encryption SDK with a raw AES keyring and its caching materials
 * manager. Rounds alternate, and the best of each counts, so that other work on the machine disturbs both alike.
 */
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import {
  buildClient,
  CommitmentPolicy,
  getLocalCryptographicMaterialsCache,
  NodeCachingMaterialsManager,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
} from '@aws-crypto/client-node';
import type { Bench } from '../report.ts';
import { account, withDataKeys } from './stack.ts';

/** Many short rounds: the best of each is one that nothing else disturbed. */
const rounds = 400;
const context = { table: 'patients' };

const encryption: Bench = (report) =>
  withDataKeys(async ({ client, requests }) => {
    const [large, small] = [randomBytes(16 * 1024), randomBytes(1024)];
    const key = createSecretKey(randomBytes(32));
    const raw = async () => {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const sealed = cipher.update(large);
      cipher.final();
      return Buffer.concat([nonce, sealed, cipher.getAuthTag()]);
    };
    report.progress('16 KiB beside node:crypto');
    const [ofRaw, ofClient] = await best([raw, () => client.encrypt(account, large, context)], 40);
    report.figure('client.encrypt16KiBOfRawCrypto', ofRaw / ofClient, 'of its speed', { atLeast: 0.8 });

    report.progress('1 KiB beside the AWS Encryption SDK');
    const aws = awsEncrypt();
    const [ofAws, ofOurs] = await best([() => aws(small), () => client.encrypt(account, small, context)], 10);
    report.progress(`1 KiB: ${ofOurs.toFixed(1)} µs, AWS ${ofAws.toFixed(1)} µs`);
    report.figure('client.vsAwsEncryptionSdk', ofAws / ofOurs, 'times as fast', { atLeast: 5 });

    const before = requests();
    for (let n = 0; n < 1000; n++) await client.encrypt(account, small, { record: String(n) });
    report.figure('client.callsPerThousandEncrypts', requests() - before, 'calls', { atMost: 2 });
  });

function awsEncrypt(): (plain: Uint8Array) => Promise<unknown> {
  const unencryptedMasterKey = new Uint8Array(randomBytes(32));
  const keyring = new RawAesKeyringNode({
    keyName: 'bench',
    keyNamespace: 'bench',
    unencryptedMasterKey,
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
  const materials = new NodeCachingMaterialsManager({
    backingMaterials: keyring,
    cache: getLocalCryptographicMaterialsCache(100),
    maxAge: 300_000,
    maxMessagesEncrypted: 65_536,
  });
  // Key commitment, as the client has it; without signatures, which it does not have.
  const { encrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const suiteId = 0x0478;
  return (plain) => encrypt(materials, plain, { encryptionContext: { ...context }, suiteId });
}

/** Microseconds of one call, in the best of the rounds. */
async function best(works: readonly (() => Promise<unknown>)[], calls: number): Promise<[number, number]> {
  const bests = works.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (const [n, work] of works.entries()) {
      const began = performance.now();
      for (let call = 0; call < calls; call++) await work();
      bests[n] = Math.min(bests[n] ?? 0, ((performance.now() - began) / calls) * 1000);
    }
  }
  return [bests[0] ?? 0, bests[1] ?? 0];
}

export default encryption;
