/** The app's own verification, over entries that a test has read. */
import type { AuditEntry, ChainHead } from '../src/core/audit/auditEntry.ts';
import { type Verification, verifyChain } from '../src/core/audit/verifyChain.ts';
import type { Kek } from '../src/core/crypto/accountKeyEnvelope.ts';
import type { Ring, Rings } from '../src/core/rings/ring.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

function verified(
  chain: string,
  entries: readonly AuditEntry[],
  head: ChainHead,
  kekOf: (generation: number) => Kek,
): Promise<Verification> {
  const rows = entries.map((entry) => ({ position: entry.sequence, entry }));
  const rings = async () => ({ audit: { kek: kekOf } as Ring }) as Rings;
  const clock = { now: () => 0, monotonic: () => 0 };
  const page = async () => ({ rows });
  return verifyChain({ id: chain, head: async () => head, page }, {}, { rings, clock, log: silent });
}

/** The sequence number of the first broken link, or undefined when the chain is whole up to the head given. */
export async function firstBrokenLink(...asked: Parameters<typeof verified>): Promise<number | undefined> {
  return (await verified(...asked)).broken?.sequence;
}
