/**
 * Verifying a chain from its beginning, or from a link that was verified before, to its end: page by page, so that its length does
 * not matter, and no longer than a call may take. What the links, and the head kept beside them, cannot show is that all of it was
 * brought back together to an older state; heads that were announced do (INV-6).
 */

import type { Flaw } from '../base/vocabulary.ts';
import { type ChainHead, emptyChain, positionText } from './auditEntry.ts';
import { linkOf } from './chainCheck.ts';
import type { Chain } from './chains.ts';
import type { AuditDeps } from './deps.ts';

export interface Verification {
  /** `unfinished`: the call's time is over; go on after `verified`. */
  readonly result: 'whole' | 'broken' | 'unfinished';
  /** As it is kept beside the chain. */
  readonly head: ChainHead;
  /** The last link that holds. */
  readonly verified: ChainHead;
  /** Links that this call has verified. */
  readonly entries: number;
  /** Announced heads that this call has compared, and found to fit. */
  readonly compared: number;
  /** The first broken link. */
  readonly broken?: { readonly sequence: number; readonly flaw: Flaw };
}

export interface VerificationRequest {
  /** Where an earlier call has left off. */
  readonly after?: ChainHead | undefined;
  /** Those before `after` were compared by an earlier call. */
  readonly announced?: readonly ChainHead[] | undefined;
}

const pageSize = 1000;
/** The load balancer of Azure Functions ends a call after 230 s. The last page has its own time, and storage its tries. */
const timeMs = 90_000;

type Tools = Pick<AuditDeps, 'rings' | 'clock' | 'log'>;

/** @throws Refusal NotFound where there is nothing, and nothing was announced @throws Unavailable */
export async function verifyChain(chain: Chain, input: VerificationRequest, tools: Tools): Promise<Verification> {
  const seen = await walk(chain, input, tools);
  const { broken, verified, result } = seen;
  if (result === 'whole' && verified.sequence === 0 && chain.absent !== undefined) throw chain.absent;
  if (broken !== undefined) tools.log.error('Audit verification found a broken chain', { chain: chain.id, ...broken });
  return seen;
}

async function walk(chain: Chain, { after = emptyChain, announced = [] }: VerificationRequest, tools: Tools) {
  const { audit } = await tools.rings('fresh');
  const until = tools.clock.monotonic() + timeMs;
  const stored = await chain.head();
  const head = stored === 'damaged' ? emptyChain : stored;
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
  /** Undefined: whatever is known of this sequence from elsewhere fits. */
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
      last = link;
    }
    if (page.next === undefined) break;
    token = page.next;
    if (tools.clock.monotonic() > until) return ended({ result: 'unfinished' });
  }
  if (stored === 'damaged') return brokenAt(last.sequence, 'StateDamaged');
  // Whoever adds an entry writes the head in the same batch: one that was read before the rows is never ahead of them.
  if (head.sequence > last.sequence) return brokenAt(last.sequence + 1, 'Missing');
  const again = head.sequence < last.sequence ? await chain.head() : head;
  if (again === 'damaged') return brokenAt(last.sequence, 'StateDamaged');
  const now = again;
  if (now.sequence < last.sequence) return brokenAt(now.sequence + 1, 'BeyondHead');
  if (now.sequence === last.sequence && now.hash !== last.hash) return brokenAt(last.sequence, 'HeadDiffers');
  if (announced.some(({ sequence }) => sequence > last.sequence)) return brokenAt(last.sequence + 1, 'Missing');
  return ended({ result: 'whole' });
}
