/** The service's own chain: changes of its keys, rings and claims, which belong to no single account. */

import { retryLostRaces } from '../base/errors.ts';
import { type AuditFacts, appendEntries, emptyChain } from './auditEntry.ts';
import type { AuditDeps } from './deps.ts';

export const serviceChain = 'service';

export async function recordForService(
  facts: readonly AuditFacts[],
  { serviceAudit, rings, clock }: Pick<AuditDeps, 'serviceAudit' | 'rings' | 'clock'>,
): Promise<void> {
  const { audit } = await rings();
  await retryLostRaces(async () => {
    const before = await serviceAudit.head();
    const added = appendEntries(serviceChain, before?.value ?? emptyChain, facts, clock.now(), audit.newest);
    await serviceAudit.append(before?.etag, added.head, added.entries);
  });
}
