/** The service's own chain: what was done to its keys, rings and claims, and so is no one account's. */

import { retryLostRaces } from '../base/errors.ts';
import { type AuditFacts, appendEntries } from './auditEntry.ts';
import { chainEnd } from './chainEnd.ts';
import type { AuditDeps } from './deps.ts';

export const serviceChain = 'service';

export async function recordForService(
  facts: readonly AuditFacts[],
  { serviceAudit, rings, clock }: Pick<AuditDeps, 'serviceAudit' | 'rings' | 'clock'>,
): Promise<void> {
  const { audit } = await rings();
  await retryLostRaces(async () => {
    const stored = await serviceAudit.head();
    // A head that is damaged or lost stops no work on rings.
    const head = stored?.value ?? (await chainEnd({ id: serviceChain, page: serviceAudit.audit }, audit));
    const added = appendEntries(serviceChain, head, facts, clock.now(), audit.newest);
    await serviceAudit.append(stored?.etag, added.head, added.entries);
  });
}
