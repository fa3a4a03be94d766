/**
 * Bringing an account's own chain up to the verdicts of its watch: one entry per account and epoch, exactly once, because the
 * record names the last epoch that it has and both are saved in one batch (INV-6).
 */

import type { AuditFacts } from '../audit/auditEntry.ts';
import { defined } from '../base/defined.ts';
import { iso } from '../base/time.ts';
import type { Transition, Watch } from '../watch/watch.ts';
import { type ActiveAccount, type DeletingAccount, wrappedByOf } from './account.ts';

const keyward = { kind: 'keyward', id: 'reconcile' } as const;

/** The record with every verdict that targets it, and the entries that say so; the same record when it has them all. */
export function catchUp(
  record: ActiveAccount,
  watch: Watch | undefined,
): { record: ActiveAccount; facts: AuditFacts[] } {
  const { encryption } = record;
  if (encryption.type !== 'CustomerKey' || watch === undefined || encryption.binding.id !== watch.binding.id)
    return { record, facts: [] };
  const { reconciledEpoch, version } = encryption;
  const facts = missingFacts(watch, { reconciledEpoch, version, key: wrappedByOf(encryption) });
  if (facts.length === 0) return { record, facts };
  return { record: { ...record, encryption: { ...encryption, reconciledEpoch: watch.epoch } }, facts };
}

/** The same for an account whose deletion did not know yet of a verdict that was stored a moment before it. */
export function catchUpDeleted(
  record: DeletingAccount,
  watch: Watch | undefined,
): { record: DeletingAccount; facts: AuditFacts[] } {
  const { bound } = record;
  if (bound === undefined || watch === undefined || bound.bindingId !== watch.binding.id) return { record, facts: [] };
  const facts = missingFacts(watch, { ...bound, version: bound.account.version });
  return { record: { ...record, bound: { ...bound, reconciledEpoch: watch.epoch } }, facts };
}

interface ReconcileState {
  readonly reconciledEpoch: number;
  readonly version: string;
  readonly key: string;
}

const missingFacts = ({ transitions }: Watch, { reconciledEpoch, version, key }: ReconcileState): AuditFacts[] =>
  transitions
    .filter((transition) => transition.epoch > reconciledEpoch && transition.version === version)
    .map((transition) => factsOf(transition, key));

function factsOf(transition: Transition, key: string): AuditFacts {
  return {
    type: transition.to === 'Enabled' ? 'CustomerKeyRestored' : 'CustomerKeyInaccessible',
    actor: keyward,
    key,
    epoch: transition.epoch,
    ...defined({ cause: transition.cause, keyVaultRequestId: transition.keyVaultRequestId }),
    ...(transition.keyReleasedBy === undefined ? {} : { keyReleasedBy: iso(transition.keyReleasedBy) }),
  };
}
