/**
 * Bringing an account's own chain up to the verdicts of its watch: one entry per account and epoch, exactly once, because the
 * record names the last epoch that it has and both are saved in one batch (INV-6).
 */
import { type ActiveAccount, type CustomerKeyEncryption, wrappedByOf } from './account.ts';
import type { AuditFacts } from './audit.ts';
import { iso } from './time.ts';
import type { Transition, Watch } from './watch.ts';

const keyward = { kind: 'keyward', id: 'reconcile' } as const;

/** The record with every verdict that concerns it, and the entries that say so; the same record when it has them all. */
export function catchUp(
  record: ActiveAccount,
  watch: Watch | undefined,
): { record: ActiveAccount; facts: AuditFacts[] } {
  const { encryption } = record;
  if (encryption.type !== 'CustomerKey' || watch === undefined || encryption.binding.id !== watch.binding.id)
    return { record, facts: [] };
  const missing = watch.transitions.filter((transition) => concerns(transition, encryption));
  if (missing.length === 0) return { record, facts: [] };
  const facts = missing.map((transition) => factsOf(transition, wrappedByOf(encryption)));
  return { record: { ...record, encryption: { ...encryption, reconciledEpoch: watch.epoch } }, facts };
}

const concerns = (transition: Transition, encryption: CustomerKeyEncryption): boolean =>
  transition.epoch > encryption.reconciledEpoch && transition.version === encryption.version;

function factsOf(transition: Transition, key: string): AuditFacts {
  return {
    type: transition.to === 'Enabled' ? 'CustomerKeyRestored' : 'CustomerKeyInaccessible',
    actor: keyward,
    key,
    epoch: transition.epoch,
    ...(transition.cause === undefined ? {} : { cause: transition.cause }),
    ...(transition.keyReleasedBy === undefined ? {} : { keyReleasedBy: iso(transition.keyReleasedBy) }),
  };
}
