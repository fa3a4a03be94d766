/** The service's own chain: what was done to its keys, rings and claims, and so is no one account's. */

import { retryLostRaces } from '../base/errors.ts';
import type { Keks } from '../crypto/keks.ts';
import { type AuditFacts, appendEntries, type ChainHead, emptyChain, headOf } from './auditEntry.ts';
import type { AuditDeps } from './deps.ts';
import { linkedEntries } from './linkedEntries.ts';

export const serviceChain = 'service';

export async function recordForService(
  facts: readonly AuditFacts[],
  { serviceAudit, rings, clock }: Pick<AuditDeps, 'serviceAudit' | 'rings' | 'clock'>,
): Promise<void> {
  const { audit } = await rings();
  await retryLostRaces(async () => {
    const stored = await serviceAudit.head();
    const head = stored === undefined ? emptyChain : (stored.value ?? (await provenHead(serviceAudit, audit)));
    const added = appendEntries(serviceChain, head, facts, clock.now(), audit.newest);
    await serviceAudit.append(stored?.etag, added.head, added.entries);
  });
}

/** A damaged head stops no work on rings: the entries prove where the chain ends. */
async function provenHead({ audit: page }: Pick<AuditDeps['serviceAudit'], 'audit'>, audit: Keks): Promise<ChainHead> {
  let head = emptyChain;
  for await (const entry of linkedEntries({ id: serviceChain, page }, audit)) head = headOf(entry);
  return head;
}
