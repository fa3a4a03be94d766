/**
 * The proxy's own certificate authority, and the certificate for the host names that the proxy answers for. The folder
 * stores the authority, so that a client needs its file once. LOCAL ONLY: a client that trusts this file trusts every
 * certificate made with the key beside it, so only this user can read the key.
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import forge from 'node-forge';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /** The certificate as a file, for the variables that name a CA bundle. */
  readonly file: string;
}

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3_650;
const LEAF_DAYS = 30;
/** An authority that ends within this time is replaced. */
const RENEWAL_DAYS = 60;
const OWNER_ONLY = 0o600;
const authorityName = [{ name: 'commonName', value: 'Keyward local stack' }];

export async function openAuthority(dir: string): Promise<Authority> {
  const file = join(dir, 'ca.pem');
  const keyFile = join(dir, 'ca-key.pem');
  const stored = await readAuthority(file, keyFile);
  if (stored !== undefined) return { ...stored, file };
  const keys = newKeys();
  const cert = sign(keys.publicKey, authorityName, authorityName, keys.privateKey, AUTHORITY_DAYS, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  await mkdir(dir, { recursive: true });
  // The mode applies to a new file only.
  await rm(keyFile, { force: true });
  await writeFile(keyFile, keys.pem, { mode: OWNER_ONLY });
  await writeFile(file, cert);
  return { cert, key: keys.pem, file };
}

/** One certificate for all names; a name can begin with `*.`. */
export function issueCertificate(authority: Authority, hostNames: readonly string[]): Certificate {
  const keys = newKeys();
  const issuer = forge.pki.certificateFromPem(authority.cert);
  const subject = [{ name: 'commonName', value: hostNames[0] ?? 'localhost' }];
  const issuerKey = forge.pki.privateKeyFromPem(authority.key);
  const cert = sign(keys.publicKey, subject, issuer.subject.attributes, issuerKey, LEAF_DAYS, [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes() },
    { name: 'subjectAltName', altNames: hostNames.map((value) => ({ type: 2, value })) },
  ]);
  return { cert, key: keys.pem };
}

/** Undefined: there is none yet, it ends soon, or a write of the two files was interrupted. */
async function readAuthority(file: string, keyFile: string): Promise<Certificate | undefined> {
  try {
    const [cert, key] = await Promise.all([readFile(file, 'utf8'), readFile(keyFile, 'utf8')]);
    const certificate = new X509Certificate(cert);
    if (Date.parse(certificate.validTo) - Date.now() <= RENEWAL_DAYS * DAY_MS) return undefined;
    if (!certificate.checkPrivateKey(createPrivateKey(key))) return undefined;
    await chmod(keyFile, OWNER_ONLY);
    return { cert, key };
  } catch {
    return undefined;
  }
}

/** RSA, because the library signs with RSA only; Node generates the pair, which is faster. */
function newKeys() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const key = forge.pki.privateKeyFromPem(pem);
  return { pem, privateKey: key, publicKey: forge.pki.rsa.setPublicKey(key.n, key.e) };
}

function sign(
  publicKey: forge.pki.rsa.PublicKey,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  issuerKey: forge.pki.PrivateKey,
  days: number,
  extensions: object[],
): string {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  // A positive number: its first bit is zero.
  certificate.serialNumber = `00${forge.util.bytesToHex(forge.random.getBytesSync(15))}`;
  certificate.validity.notBefore = new Date(Date.now() - DAY_MS);
  certificate.validity.notAfter = new Date(Date.now() + days * DAY_MS);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  certificate.setExtensions(extensions);
  certificate.sign(issuerKey as forge.pki.rsa.PrivateKey, forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate);
}
