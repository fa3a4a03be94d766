/**
 * The service's own chain: changes of its keys, rings and claims, which belong to no single account. Its head also
 * names the newest activated generation of each ring. From it a starting process knows which KEKs were rotated out.
 */

import { DamagedRow } from '../base/damagedRow.ts';
import { LostRace, retryLostRaces } from '../base/errors.ts';
import { ringNames } from '../base/vocabulary.ts';
import type { Keks } from '../crypto/keks.ts';
import { appendEntries, emptyChain } from './auditEntry.ts';
import type { AuditFacts } from './auditFacts.ts';
import { headAfter, positionedEntries } from './chainEnd.ts';
import type { AuditDeps } from './deps.ts';
import type { Sealing, ServiceAuditStore, ServiceHead } from './ports.ts';

export const serviceChain = 'service';

export type ServiceAuditDeps = Pick<AuditDeps, 'serviceAudit' | 'rings' | 'clock' | 'random'>;

export async function recordForService(
  facts: readonly AuditFacts[],
  { serviceAudit, rings, clock, random }: ServiceAuditDeps,
): Promise<void> {
  const { audit } = await rings();
  let isOlder = false;
  await retryLostRaces(async () => {
    const stored = await serviceAudit.head();
    const head = (isOlder ? undefined : stored?.value) ?? (await provenHead(serviceAudit, audit));
    const added = appendEntries(serviceChain, head, facts, clock.now(), audit.newest, random);
    const sealing = facts.reduce(sealingAfter, head.sealing ?? {});
    try {
      await serviceAudit.append(stored?.etag, { ...added.head, sealing }, added.entries);
    } catch (error) {
      if (isOlder || !(error instanceof DamagedRow)) throw error;
      // The head is an older one that was put back.
      isOlder = true;
      throw new LostRace('The entries prove another head.');
    }
  });
}

/**
 * The facts that the entries prove when the head cannot be used. A damaged or lost head does not stop work on rings.
 * @throws Unavailable
 */
export async function provenHead({ audit: page }: Pick<ServiceAuditStore, 'audit'>, audit: Keks): Promise<ServiceHead> {
  let head: ServiceHead = emptyChain;
  for await (const positioned of positionedEntries({ id: serviceChain, page }, audit)) {
    const { sealing = {} } = head;
    head = {
      ...headAfter(positioned),
      sealing: positioned.entry === undefined ? sealing : sealingAfter(sealing, positioned.entry),
    };
  }
  return head;
}

function sealingAfter(sealing: Sealing, { type, ring: about = '' }: AuditFacts): Sealing {
  if (type !== 'RingGenerationActivated') return sealing;
  const [name, generation = ''] = about.split('/');
  const ring = ringNames.find((one) => one === name);
  return ring === undefined ? sealing : { ...sealing, [ring]: Math.max(sealing[ring] ?? 0, Number(generation)) };
}
