/** Denials that are Keyward's own fault, because its identity differs from the one that the customers granted. */
import type { Actor } from '../audit/auditFacts.ts';
import { recordForService } from '../audit/serviceAudit.ts';
import { defined } from '../base/defined.ts';
import { LostRace, retryLostRaces } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import { identityParts, isFederated, type KeyVaultIdentity } from '../customerKey/binding.ts';
import {
  type IdentityDenials,
  isInBurst,
  ownersAtFault,
  ownersToAnnounce,
  withDenial,
} from '../watch/identityDenials.ts';
import { isOfReplacedIdentity } from '../watch/judge.ts';
import type { Evidence, Verdict, Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';

const keyward = { kind: 'keyward', id: 'watch' } as const;

type Denied = Pick<Evidence, 'version' | 'takenAt' | 'cause' | 'principal' | 'isPrincipalUnknown'>;

/**
 * Whether a denied look shows another principal than the granted one, or is held back as part of a burst. It records
 * the owner. IdentityReplaced is announced once for all owners.
 */
export async function isOwnFault(watch: Watch, evidence: Denied, owner: string, deps: VaultWorkDeps): Promise<boolean> {
  const { version, takenAt, cause, principal, isPrincipalUnknown } = evidence;
  const { identity } = watch.binding;
  const verdict = watch.versions[version];
  if (cause !== 'KeyPermissionDenied' || isFederated(identity)) return false;
  if (verdict === undefined || verdict.status === 'Inaccessible') return false;
  const isReplaced = isOfReplacedIdentity(watch, evidence);
  if (isPrincipalUnknown === undefined && !isReplaced) return false;

  // A held denial stays held, even after the burst is forgotten, until access returns or an operator confirms it.
  const isHeld = verdict.status === 'Unreachable' && verdict.cause === 'IdentityReplaced';
  const { state, since } = await recordDenial(identity, { owner, takenAt, isReplaced, isHeld, verdict }, deps);
  const isOurs = isReplaced || (isHeld ? verdict.since > (state.confirmedAt ?? 0) : isInBurst(state, since));
  if (isOurs) await announce(state, watch, principal?.principalId, takenAt, deps);
  return isOurs;
}

interface DeniedOwner {
  readonly owner: string;
  readonly takenAt: EpochMs;
  readonly isReplaced: boolean;
  readonly isHeld: boolean;
  readonly verdict: Verdict;
}

async function recordDenial(
  identity: KeyVaultIdentity,
  { owner, takenAt, isReplaced, isHeld, verdict }: DeniedOwner,
  { identityDenials }: Pick<VaultWorkDeps, 'identityDenials'>,
): Promise<{ readonly state: IdentityDenials; readonly since: EpochMs }> {
  return retryLostRaces(async () => {
    const stored = await identityDenials.read(identity);
    const before: IdentityDenials = stored?.value ?? { identity, denials: [] };
    const known = before.denials.find((one) => one.owner === owner);
    const isContinuing = known !== undefined && known.since > verdict.lastAccessibleAt;
    if (isHeld || isContinuing) return { state: before, since: known?.since ?? takenAt };
    const state = withDenial(before, { owner, since: takenAt, ...(isReplaced ? { isReplaced: true as const } : {}) });
    if (!(await identityDenials.write(state, stored?.etag)))
      throw new LostRace('Another look has recorded its denial.');
    return { state, since: takenAt };
  });
}

const maxOwnersInEntry = 100;

/** The write under the ETag decides which of several looks announces. */
async function announce(
  state: IdentityDenials,
  { binding: { identity }, provenBy }: Watch,
  principalId: string | undefined,
  now: EpochMs,
  deps: VaultWorkDeps,
): Promise<void> {
  if (ownersToAnnounce(state, principalId, now).length === 0) return;
  const stored = await deps.identityDenials.read(identity);
  if (stored === undefined) return;
  const owners = ownersToAnnounce(stored.value, principalId, now);
  if (owners.length === 0) return;
  const announced = { at: now, ...defined({ principalId }) };
  if (!(await deps.identityDenials.write({ ...stored.value, announced }, stored.etag))) return;
  const about = { identity: nameOf(identity), ...defined({ before: provenBy?.principalId, after: principalId }) };
  deps.log.error('An identity of this service was replaced', { count: owners.length });
  await recordForService([{ type: 'IdentityReplaced', actor: keyward, ...about, ...ownerFacts(owners) }], deps);
}

/** Looks record owners in any order. */
const ownerFacts = (owners: readonly string[]) => ({
  owners: owners.toSorted().slice(0, maxOwnersInEntry),
  count: owners.length,
});

const nameOf = (identity: KeyVaultIdentity): string => identityParts(identity).join(' ') || 'systemAssigned';

export interface OwnIdentity extends Partial<Pick<IdentityDenials, 'denials' | 'announced' | 'confirmedAt'>> {
  readonly identity: KeyVaultIdentity;
  readonly principalId?: string;
  readonly clientId?: string;
  /** Denials of a burst are held back as Keyward's own fault. */
  readonly isHeldBack: boolean;
}

/** The identities in the settings, and every identity that a vault has denied. */
export async function ownIdentities(deps: VaultWorkDeps): Promise<OwnIdentity[]> {
  const denied = await deps.identityDenials.list();
  const known = deps.ownIdentities.map(({ identity }) => identity);
  const others = denied.map(({ identity }) => identity).filter((one) => !known.some(isSame(one)));
  return [...known, ...others].map((identity) => {
    const state = denied.find((one) => isSame(identity)(one.identity));
    const isHeldBack = state?.denials.some(({ since }) => isInBurst(state, since)) ?? false;
    return {
      identity,
      ...(replacedBy(state) ?? deps.ownIdentities.find((one) => isSame(identity)(one.identity))?.principal),
      ...(state === undefined ? {} : { denials: state.denials, ...confirmationOf(state) }),
      isHeldBack,
    };
  });
}

/** The principal that vaults deny. The settings name the earlier one until the next deployment. */
function replacedBy(state: IdentityDenials | undefined): { readonly principalId: string } | undefined {
  const { principalId } = state?.announced ?? {};
  const isReplaced = state?.denials.some((denial) => denial.isReplaced) ?? false;
  return principalId === undefined || !isReplaced ? undefined : { principalId };
}

const confirmationOf = ({ announced, confirmedAt }: IdentityDenials) => defined({ announced, confirmedAt });

const isSame = (one: KeyVaultIdentity) => (other: KeyVaultIdentity) => nameOf(one) === nameOf(other);

/**
 * The operator says that the denials so far are the customers' own: from now on their looks count. Without denials,
 * nothing changes.
 */
export async function confirmDenials(identity: KeyVaultIdentity, actor: Actor, deps: VaultWorkDeps): Promise<void> {
  const before = await retryLostRaces(async () => {
    const stored = await deps.identityDenials.read(identity);
    if (stored === undefined) return undefined;
    const after = { ...stored.value, confirmedAt: deps.clock.now() };
    if (!(await deps.identityDenials.write(after, stored.etag))) throw new LostRace('A look has recorded a denial.');
    return stored.value;
  });
  if (before === undefined) return;
  const facts = ownerFacts(ownersAtFault(before).map(({ owner }) => owner));
  await recordForService([{ type: 'DenialsConfirmed', actor, identity: nameOf(identity), ...facts }], deps);
}
