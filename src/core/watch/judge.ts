/**
 * The state machine that turns evidence into a verdict.
 *
 *                 a denied look                 confirmed (policy.ts)
 *   Accessible ─────────────────▶ Suspect ─────────────────────────────▶ Inaccessible
 *       ▲  ▲ │ no answer             │ a good look                            │
 *       │  │ └─▶ Unreachable ────────┤ (a denied look: Suspect)               │
 *       │  └─────────┘ a good look   │                                        │
 *       └────────────────────────────┴────────────────────────────────────────┘  a good look, at any time
 *
 * An outage has no effect on a customer: in Suspect it neither counts nor resets, in Inaccessible it does not restore.
 * Pure: no I/O, no clock.
 */
import { type Cause, classOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { confirmationOf, type DenyingCause, isDenying, type Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import { isFederated } from '../customerKey/binding.ts';
import { burstWaitMs } from './identityDenials.ts';
import { keyReleasedBy } from './verdictTimes.ts';
import { accessibleVerdict, type Denials, type Evidence, type Transition, type Verdict, type Watch } from './watch.ts';

/**
 * The verdict after one more piece of evidence. Returns the same object when the evidence is not newer than that of the
 * verdict. `elapsedMs` is the proven time of the look, or a time of day when the evidence is not a look at this
 * binding.
 */
export function judge(
  verdict: Verdict,
  evidence: Evidence,
  policy: Policy,
  isNewest = evidence.takenAt > verdict.evidenceAt,
  elapsedMs = evidence.takenAt,
): Verdict {
  const at = evidence.takenAt;
  if (!isNewest) return verdict;
  const cause = attributed(evidence, policy);
  if (cause === undefined) {
    const since = verdict.status === 'Accessible' ? verdict.since : at;
    return { ...accessibleVerdict(at), since };
  }
  const { deniedAs: _before, ...known } = verdict;
  const seen = { ...known, evidenceAt: at };
  if (cause === 'IdentityReplaced') return afterReplacedIdentity(seen, at);
  const deniedAs = cause === evidence.cause ? undefined : evidence.cause;
  if (!isDenying(cause, policy)) return afterOutage(seen, cause, at, deniedAs);

  const denials = { ...verdict.denials, [cause]: countDenial(verdict.denials[cause], evidence, elapsedMs, policy) };
  if (verdict.status === 'Inaccessible') return { ...seen, cause, denials };
  return isConfirmed(cause, denials[cause], evidence, policy)
    ? { ...seen, status: 'Inaccessible', cause, denials, since: at }
    : { ...seen, status: 'Suspect', cause, denials, since: verdict.status === 'Suspect' ? verdict.since : at };
}

/** Whether a control look must follow a look with this cause. */
export function needsControlLook(cause: Cause, policy: Policy): boolean {
  return isDenying(cause, policy) && confirmationOf(cause, policy).needsControlLook;
}

/** A denial while the control look failed is Keyward's own fault, not the customer's refusal. */
export function attributed({ cause, controlLook }: Evidence, policy: Policy): Cause | undefined {
  if (cause === undefined || controlLook !== 'failed' || !needsControlLook(cause, policy)) return cause;
  return cause === 'VaultNotFound' ? 'DnsFailure' : 'IdentityUnavailable';
}

/**
 * A denial of another principal than that of the last good look: the customer granted the earlier one, and has not
 * refused this one. The principal of an application in the customer's tenant belongs to the customer, who can remove it
 * and create it again.
 */
export function isOfReplacedIdentity(
  { binding, provenBy }: Pick<Watch, 'binding' | 'provenBy'>,
  { cause, principal }: Pick<Evidence, 'cause' | 'principal'>,
): boolean {
  if (cause !== 'KeyPermissionDenied' || isFederated(binding.identity)) return false;
  return provenBy !== undefined && principal !== undefined && provenBy.principalId !== principal.principalId;
}

function afterOutage(seen: Verdict, cause: Cause, at: EpochMs, deniedAs?: Cause): Verdict {
  switch (seen.status) {
    case 'Suspect':
    case 'Inaccessible':
      return seen;
    case 'Unreachable':
      return { ...seen, cause, ...defined({ deniedAs }) };
    case 'Accessible':
      return { ...seen, status: 'Unreachable', cause, since: at, ...defined({ deniedAs }) };
  }
}

/** Permission denials in confirmation are explained: they are Keyward's own fault and no longer count. */
function afterReplacedIdentity(seen: Verdict, at: EpochMs): Verdict {
  if (seen.status !== 'Suspect') return afterOutage(seen, 'IdentityReplaced', at);
  const { KeyPermissionDenied: _explained, ...denials } = seen.denials;
  const [cause] = Object.keys(denials) as DenyingCause[];
  if (cause !== undefined) return { ...seen, denials, cause };
  return { ...seen, denials, status: 'Unreachable', cause: 'IdentityReplaced', since: at };
}

function countDenial(
  before: Denials | undefined,
  { takenAt, keyVaultRequestId }: Evidence,
  elapsedMs: number,
  policy: Policy,
): Denials {
  const first = defined({ firstKeyVaultRequestId: keyVaultRequestId });
  if (before === undefined) return { looks: 1, overMs: 0, firstAt: takenAt, lastMs: elapsedMs, ...first };
  const gapMs = elapsedMs - before.lastMs;
  if (gapMs < policy.lookSpacingSeconds * 1000) return before;
  const overMs = before.overMs + Math.min(gapMs, 2 * policy.lookIntervalSuspectSeconds * 1000);
  return { ...before, looks: before.looks + 1, overMs, lastMs: elapsedMs };
}

function isConfirmed(cause: DenyingCause, denials: Denials | undefined, evidence: Evidence, policy: Policy): boolean {
  const needed = confirmationOf(cause, policy);
  // The rule of identityDenials.ts first needs the looks at the keys of other owners.
  const waitMs = cause === 'KeyPermissionDenied' && evidence.isPrincipalUnknown ? burstWaitMs : 0;
  return (
    denials !== undefined &&
    denials.looks >= needed.looks &&
    denials.overMs >= needed.overMs + waitMs &&
    (!needed.needsControlLook || evidence.controlLook === 'good')
  );
}

/** The watch after the evidence, with a new epoch when a verdict now refuses or restores accounts. */
export function observe(watch: Watch, evidence: Evidence, policy: Policy, elapsedMs?: number): Watch {
  const before = Object.hasOwn(watch.versions, evidence.version) ? watch.versions[evidence.version] : undefined;
  if (before === undefined || evidence.bindingId !== watch.binding.id) return watch;
  // No look was recorded since this one began, so it is the newest, even when a clock was set back since the last look.
  const isNewest = evidence.afterLooks === undefined ? undefined : evidence.afterLooks === watch.lookCount;
  const attributedEvidence: Evidence = isOfReplacedIdentity(watch, evidence)
    ? { ...evidence, cause: 'IdentityReplaced' }
    : evidence;
  const judged = judge(before, attributedEvidence, policy, isNewest, elapsedMs);
  if (judged === before) return watch;
  const { keyVaultRequestId: _, clientAddress: __, ...verdict } = judged;
  const { keyVaultRequestId, clientAddress } = evidence;
  // The facts of the look before this one do not count.
  const proof = defined({ keyVaultRequestId, clientAddress });
  const after: Verdict = { ...verdict, ...proof };

  const versions = { ...watch.versions, [evidence.version]: after };
  const seen = { ...withIdentity(watch, attributedEvidence, policy), versions };
  const refusedBefore = before.status === 'Inaccessible';
  const refusedAfter = after.status === 'Inaccessible';
  if (refusedBefore === refusedAfter) return seen;

  const transition: Transition = {
    epoch: watch.epoch + 1,
    version: evidence.version,
    to: refusedAfter ? 'CustomerKeyInaccessible' : 'Enabled',
    at: evidence.takenAt,
    ...defined({ cause: after.cause }),
    ...proof,
    ...(refusedAfter ? refusalFacts(after, policy) : {}),
  };
  return { ...seen, epoch: transition.epoch, transitions: limitTransitions([...watch.transitions, transition]) };
}

/** What a receipt of the revocation says (attestation/revocationReceipt.ts). */
function refusalFacts(verdict: Verdict, policy: Policy): Partial<Transition> {
  const [first] = Object.values(verdict.denials).toSorted((a, b) => a.firstAt - b.firstAt);
  return defined({
    keyReleasedBy: keyReleasedBy(verdict, policy),
    lastUsedAt: verdict.lastAccessibleAt,
    firstRefusedAt: first?.firstAt,
    firstKeyVaultRequestId: first?.firstKeyVaultRequestId,
  });
}

/** Far more than the number of verdicts that change between two passes over the accounts. */
export const maxTransitions = 300;

/**
 * A watch that is not reconciled for a very long time keeps the newest transition of each version, which is the present
 * state of its accounts. The binding's own chain has all transitions.
 */
function limitTransitions(transitions: readonly Transition[]): readonly Transition[] {
  if (transitions.length <= maxTransitions) return transitions;
  const newest = new Map(transitions.map((one) => [one.version, one.epoch]));
  const [oldest] = transitions.filter((one) => newest.get(one.version) !== one.epoch);
  return transitions.filter((one) => one !== oldest);
}

/**
 * The facts that the evidence shows about Keyward's own identity, separate from the verdict. A missing answer shows
 * none.
 */
function withIdentity(watch: Watch, evidence: Evidence, policy: Policy): Watch {
  const cause = attributed(evidence, policy);
  const named = evidence.principal === undefined ? watch : { ...watch, calledAs: evidence.principal };
  if (cause === 'IdentityReplaced') return named;
  if (cause === 'IdentityUnavailable') return { identityTroubleSince: evidence.takenAt, ...named };
  if (cause !== undefined && classOf(cause) === 'unreachable') return named;
  const { identityTroubleSince: _over, ...well } = named;
  if (cause !== undefined) return well;
  const { provenBy: _before, ...proven } = well;
  return { ...proven, ...defined({ provenBy: evidence.principal }) };
}
