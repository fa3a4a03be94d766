/**
 * Permission denials of one identity of Keyward. When neither the token nor the refusal names the caller, a denial
 * cannot be compared with the principal that the customer granted. All customers of a replaced identity deny it at the
 * same time. So the denials of one burst count as Keyward's own fault until an operator says otherwise. Pure.
 *
 * The count is of owners. A single customer is one owner with any number of keys, so its denials are never held back.
 */
import type { EpochMs } from '../base/time.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';

/** This many owners whose denials began within this time make a burst. Two sweeps see every key. */
const burstOwners = 3;
const burstMs = 120_000;
/** Looks at two keys can be this far apart. No denial of an unnamed principal is confirmed earlier. */
export const burstWaitMs = 30_000;
/** By then the sweeps have seen all owners, and the announcement names them. */
const announceAfterMs = 180_000;
const forgottenMs = 3_600_000;
const maxOwners = 1_000;

export interface OwnerDenial {
  readonly owner: string;
  /** The first denied look since the last good one. */
  readonly since: EpochMs;
  /** The call named another principal than the one that the customer granted. */
  readonly isReplaced?: true;
}

export interface IdentityDenials {
  readonly identity: KeyVaultIdentity;
  /** The last denial of each owner, the newest last. */
  readonly denials: readonly OwnerDenial[];
  /** IdentityReplaced was announced, with the principal that customers must grant where it is known. */
  readonly announced?: { readonly at: EpochMs; readonly principalId?: string };
  /** An operator said that the denials up to then are the customers' own. */
  readonly confirmedAt?: EpochMs;
}

export function withDenial(state: IdentityDenials, denial: OwnerDenial): IdentityDenials {
  const others = state.denials.filter(
    ({ owner, since }) => owner !== denial.owner && denial.since - since < forgottenMs,
  );
  return { ...state, denials: [...others, denial].slice(-maxOwners) };
}

/** Whether a denial that began at this time is part of a burst that no operator has confirmed. */
export function isInBurst({ denials, confirmedAt = 0 }: IdentityDenials, began: EpochMs): boolean {
  if (began <= confirmedAt) return false;
  const near = denials.filter(({ since }) => since > confirmedAt && Math.abs(since - began) <= burstMs);
  return near.length >= burstOwners;
}

/** Owners whose denials are Keyward's own fault. */
export const ownersAtFault = (state: IdentityDenials): OwnerDenial[] =>
  state.denials.filter(({ since, isReplaced }) => isReplaced || isInBurst(state, since));

/** Owners that no announcement has named yet. Empty: nothing to announce, or not yet. */
export function ownersToAnnounce(
  state: IdentityDenials,
  principalId: string | undefined,
  now: EpochMs,
): readonly string[] {
  const { announced } = state;
  const isSame = principalId === undefined || announced?.principalId === principalId;
  const from = isSame ? (announced?.at ?? 0) : 0;
  const later = ownersAtFault(state).filter(({ since }) => since > from);
  const [first] = later;
  return first === undefined || now - first.since < announceAfterMs ? [] : later.map(({ owner }) => owner);
}
