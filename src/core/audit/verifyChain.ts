/**
 * Verifies a chain from its beginning, or from an already verified link, to its end. It reads page by page, so that the
 * length of the chain does not matter, and takes no longer than a call may take. The links and the stored head cannot
 * show that all rows were set back together to an older state. Heads that were published earlier show it (INV-6).
 */

import type { Flaw } from '../base/vocabulary.ts';
import { type AuditEntry, type ChainHead, emptyChain, positionText } from './auditEntry.ts';
import { linkOf } from './chainCheck.ts';
import type { Chain } from './chains.ts';
import type { AuditDeps } from './deps.ts';
import { type SecretsCheck, secretsCheck } from './secretsCheck.ts';

export interface Verification {
  /** `unfinished`: the time of the call is over; continue after `verified`. */
  readonly result: 'whole' | 'broken' | 'unfinished';
  /** The head that is stored beside the chain. */
  readonly head: ChainHead;
  /** The last link that is intact. */
  readonly verified: ChainHead;
  /** Links that this call has verified. */
  readonly entries: number;
  /** Published heads that this call has compared and found to match. */
  readonly compared: number;
  /** The first broken link. */
  readonly broken?: { readonly sequence: number; readonly flaw: Flaw; readonly secret?: string };
}

export interface VerificationRequest {
  /** The last link that an earlier call has verified. */
  readonly after?: ChainHead | undefined;
  /** An earlier call has compared the heads before `after`. */
  readonly announced?: readonly ChainHead[] | undefined;
}

const pageSize = 1000;
/**
 * The load balancer of Azure Functions ends a call after 230 s. The last page needs time of its own, and storage its
 * retries.
 */
const timeMs = 90_000;

type Deps = Pick<AuditDeps, 'rings' | 'clock' | 'log'>;

/** @throws Refusal NotFound when there are neither rows nor published heads @throws Unavailable */
export async function verifyChain(chain: Chain, input: VerificationRequest, deps: Deps): Promise<Verification> {
  const seen = await walk(chain, input, deps);
  const { broken, verified, result } = seen;
  if (result === 'whole' && verified.sequence === 0 && chain.absent !== undefined) throw chain.absent;
  if (broken !== undefined)
    deps.log.error('Audit verification found a broken chain', { chain: chain.id, account: chain.account, ...broken });
  return seen;
}

async function walk(chain: Chain, { after = emptyChain, announced = [] }: VerificationRequest, deps: Deps) {
  const { audit } = await deps.rings('fresh');
  const until = deps.clock.monotonic() + timeMs;
  const stored = await chain.head();
  const head = stored === 'damaged' ? emptyChain : stored;
  const secrets = after.sequence > 0 || stored === 'damaged' ? undefined : await secretsOf(chain, stored);
  const marks = [
    ...announced.map((one) => ({ ...one, flaw: 'AnnouncedDiffers' as const })),
    ...(head.sequence === 0 ? [] : [{ ...head, flaw: 'HeadDiffers' as const }]),
  ].filter(({ sequence }) => sequence >= Math.max(1, after.sequence));
  let last = after;
  let compared = 0;
  let token = positionText(after.sequence);
  const ended = (how: Pick<Verification, 'result' | 'broken'>): Verification => ({
    ...how,
    head,
    verified: last,
    entries: last.sequence - after.sequence,
    compared,
  });
  const brokenAt = (sequence: number, flaw: Flaw) => ended({ result: 'broken', broken: { sequence, flaw } });
  /** The flaw of a link that contradicts a head known from elsewhere; undefined when none does. */
  const flawAt = ({ sequence, hash }: ChainHead): Flaw | undefined => {
    const here = marks.filter((mark) => mark.sequence === sequence);
    compared += here.filter((mark) => mark.flaw === 'AnnouncedDiffers' && mark.hash === hash).length;
    return here.find((mark) => mark.hash !== hash)?.flaw;
  };

  const flawAtStart = flawAt(after);
  if (flawAtStart !== undefined) return brokenAt(after.sequence, flawAtStart);
  for (;;) {
    const page = await chain.page({ limit: pageSize, after: token });
    for (const row of page.rows) {
      const link = linkOf(chain.id, last, row, (generation) => audit.kek(generation));
      if (typeof link === 'string') return brokenAt(last.sequence + 1, link);
      const flaw = flawAt(link);
      if (flaw !== undefined) return brokenAt(link.sequence, flaw);
      secrets?.see(row.entry as AuditEntry);
      last = link;
    }
    if (page.next === undefined) break;
    token = page.next;
    if (deps.clock.monotonic() > until) return ended({ result: 'unfinished' });
  }
  if (stored === 'damaged') return brokenAt(last.sequence, 'StateDamaged');
  // An entry and its head are written in one batch, and the head was read before the rows. So it is never ahead of them
  // in an intact chain.
  if (head.sequence > last.sequence) return brokenAt(last.sequence + 1, 'Missing');
  const again = head.sequence < last.sequence ? await chain.head() : head;
  if (again === 'damaged') return brokenAt(last.sequence, 'StateDamaged');
  const now = again;
  if (now.sequence < last.sequence) return brokenAt(now.sequence + 1, 'BeyondHead');
  if (now.sequence === last.sequence && now.hash !== last.hash) return brokenAt(last.sequence, 'HeadDiffers');
  if (announced.some(({ sequence }) => sequence > last.sequence)) return brokenAt(last.sequence + 1, 'Missing');
  const differing = secrets?.differing();
  if (differing === undefined) return ended({ result: 'whole' });
  return ended({ result: 'broken', broken: { ...differing, flaw: 'SecretDiffers' } });
}

/** Only in a verification from the first entry on, because it needs the last entry about every secret. */
async function secretsOf(chain: Chain, { sequence }: ChainHead): Promise<SecretsCheck | undefined> {
  const stored = await chain.secrets?.();
  return stored && secretsCheck(stored, sequence);
}
