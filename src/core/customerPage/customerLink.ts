/**
 * Links for a customer's security officer. A link names one owner and expires; it opens the calls under `/api/customer`
 * and no other. The row says who made the link and that it is not revoked. The token is signed under a subkey of the
 * at-rest ring, so a reader of the tables cannot make one, and a writer cannot change the owner of one.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import type { Actor } from '../audit/auditFacts.ts';
import { recordForService } from '../audit/serviceAudit.ts';
import { equalText, lengthPrefixed, utf8, wipe } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { Refusal, Unavailable } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import { type Kek, KeyMaterialMismatch, keyLength } from '../crypto/accountKeyEnvelope.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';
import type { CustomerLink, CustomerPageDeps } from './ports.ts';

const purpose = 'keyward/customer-link/1';
const hourMs = 3_600_000;
export const maxLinkHours = 7 * 24;
const maxLinks = 100;

type LinkFacts = Pick<CustomerLink, 'id' | 'owner' | 'expiresAt'>;

/** The link with its token, which is not stored and cannot be read again. @throws Refusal Conflict */
export async function createLink(
  owner: string,
  hours: number,
  createdBy: Actor,
  deps: CustomerPageDeps,
  identity?: KeyVaultIdentity,
): Promise<{ readonly link: CustomerLink; readonly token: string }> {
  const { customerLinks, clock, random, rings } = deps;
  const now = clock.now();
  const known = await customerLinks.list(owner);
  // Only here are rows of ended links removed: without a new link there are never more of them.
  const ended = known.filter(({ expiresAt }) => expiresAt <= now);
  for (const { id } of ended) await customerLinks.remove(owner, id);
  if (known.length - ended.length >= maxLinks)
    throw new Refusal('Conflict', `The owner has ${maxLinks} links. Revoke one first.`, { target: 'owner' });
  const expiresAt = now + hours * hourMs;
  const link: CustomerLink = {
    id: random.uuid(),
    owner,
    createdAt: now,
    expiresAt,
    createdBy,
    ...defined({ identity }),
  };
  await customerLinks.insert(link);
  await recordForService([{ type: 'LinkCreated', actor: createdBy, owners: [owner], link: link.id }], deps);
  return { link, token: linkToken(link, (await rings()).atRest.newest) };
}

/** Returns whether there was such a link. */
export async function revokeLink(owner: string, id: string, actor: Actor, deps: CustomerPageDeps): Promise<boolean> {
  if ((await deps.customerLinks.read(owner, id)) === undefined) return false;
  await recordForService([{ type: 'LinkRevoked', actor, owners: [owner], link: id }], deps);
  return deps.customerLinks.remove(owner, id);
}

/** `<id>.<owner, base64url>.<end>.<generation>.<HMAC-SHA-256, base64url>`. */
function linkToken(link: LinkFacts, kek: Kek): string {
  const owner = Buffer.from(link.owner, 'utf8').toString('base64url');
  return [link.id, owner, link.expiresAt, kek.generation, signatureOf(link, kek)].join('.');
}

function signatureOf({ id, owner, expiresAt }: LinkFacts, kek: Kek): string {
  const key = new Uint8Array(hkdfSync('sha256', kek.key, new Uint8Array(0), utf8(purpose), keyLength));
  const signature = createHmac('sha256', key)
    .update(lengthPrefixed(purpose, id, owner, String(expiresAt)))
    .digest();
  wipe(key);
  return signature.toString('base64url');
}

const tokenForm = /^([0-9a-f-]{36})\.([\w-]{1,200})\.(\d{13})\.(\d{1,9})\.([\w-]{43})$/;

/**
 * The link of a call, after the use was audited. @throws Refusal AuthenticationFailed @throws Unavailable
 * TooManyRequests
 */
export async function openLink(token: string, call: string, deps: CustomerPageDeps): Promise<CustomerLink> {
  const facts = await signedFacts(token, deps);
  if (facts === undefined)
    throw refused('The link is not valid. Open the address exactly as the operator of the service sent it.');
  if (deps.clock.now() >= facts.expiresAt) throw refused('The link has expired. Ask the operator for a new one.');
  const link = await deps.customerLinks.read(facts.owner, facts.id);
  if (link?.expiresAt !== facts.expiresAt)
    throw refused('The link was revoked. Ask the operator of the service for a new one.');
  const waitSeconds = deps.linkBudget.spend(link.id);
  if (waitSeconds > 0)
    throw new Unavailable('TooManyRequests', `Retry after ${waitSeconds} s: the link was used too often.`, waitSeconds);
  const actor = { kind: 'customerLink', id: link.id } as const;
  await recordForService([{ type: 'LinkUsed', actor, owners: [link.owner], link: link.id, call }], deps);
  return link;
}

/** Undefined: Keyward did not sign the token, or the KEK that signed it is destroyed. */
async function signedFacts(token: string, { rings }: CustomerPageDeps): Promise<LinkFacts | undefined> {
  const [, id, ownerText, end, generation, signature] = tokenForm.exec(token) ?? [];
  if (id === undefined || ownerText === undefined || signature === undefined) return undefined;
  const owner = Buffer.from(ownerText, 'base64url').toString('utf8');
  const facts = { id, owner, expiresAt: Number(end) as EpochMs };
  try {
    const expected = linkToken(facts, (await rings()).atRest.kek(Number(generation)));
    // The whole text, because base64url has several texts for the same bytes.
    return equalText(expected, token) ? facts : undefined;
  } catch (error) {
    if (error instanceof KeyMaterialMismatch) return undefined;
    throw error;
  }
}

const refused = (message: string): Refusal => new Refusal('AuthenticationFailed', message);
