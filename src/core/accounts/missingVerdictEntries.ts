/**
 * Adds the verdicts of the watch to an account's own chain: one entry per account and epoch, exactly once, because the
 * record names the last epoch that it has and both are saved in one batch (INV-6).
 */

import type { AuditFacts } from '../audit/auditFacts.ts';
import { defined } from '../base/defined.ts';
import { type EpochMs, iso } from '../base/time.ts';
import type { Transition, Watch } from '../watch/watch.ts';
import { type ActiveAccount, type DeletingAccount, wrappedByOf } from './account.ts';

const keyward = { kind: 'keyward', id: 'reconcile' } as const;

/**
 * The record with every verdict that concerns it, and the entries for them. The same record when nothing is missing.
 */
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

/** The same for an account whose delete did not yet include a verdict that was stored a moment before it. */
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
    ...(transition.to === 'CustomerKeyInaccessible' ? refusalFacts(transition) : {}),
  };
}

function refusalFacts(transition: Transition): Partial<AuditFacts> {
  const { at, keyReleasedBy, lastUsedAt, firstRefusedAt, firstKeyVaultRequestId } = transition;
  return {
    ...isoOf({ keyReleasedBy, lastUsedAt, firstRefusedAt, confirmedAt: at }),
    ...defined({ firstKeyVaultRequestId }),
  };
}

const isoOf = (times: Readonly<Record<string, EpochMs | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(times).flatMap(([name, at]) => (at === undefined ? [] : [[name, iso(at)]])));
