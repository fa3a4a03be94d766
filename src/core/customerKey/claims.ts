/**
 * Claims: vaults, tenants and user-assigned identities belong to the owner whose account was the first to be bound through them
 * (INV-10). An account claims after its row stands under its binding and before its record names the binding; whoever releases
 * marks the claim, looks for rows, and removes it only as it was marked. So of the two one always sees the other: the
 * row is found, or the mark, and an account is never left without its claim.
 */

import { actorOf, meaningOf, remedyOf } from '../base/causes.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { type Binding, isFederated } from './binding.ts';
import type { CustomerKeyDeps } from './deps.ts';
import { keyIdentifierTarget } from './keyIdentifier.ts';
import type { ClaimKind } from './ports.ts';

/**
 * Everything that a binding needs the owner to hold. An identity that only speaks for an application is nobody's own: operators
 * share one among all customers, and alone it opens nothing. Neither is the application: what it may open stands in a tenant
 * and a vault, and both are claimed.
 */
export function claimsOf({ vaultHost, tenantId, identity }: Binding, homeTenantId: string): [ClaimKind, string][] {
  const claims: [ClaimKind, string][] = [['vault', vaultHost]];
  if (tenantId !== fold(homeTenantId)) claims.push(['tenant', tenantId]);
  if (!identity.useSystemAssignedIdentity && !isFederated(identity))
    claims.push(['userAssignedIdentity', fold(identity.userAssignedIdentity)]);
  return claims;
}

/** First come, and stays. @throws Refusal OwnerMismatch */
export async function claimFor(
  owner: string,
  binding: Binding,
  { claims, clock, homeTenantId }: Pick<CustomerKeyDeps, 'claims' | 'clock' | 'homeTenantId'>,
): Promise<void> {
  for (const [kind, value] of claimsOf(binding, homeTenantId)) {
    const holder = await retryLostRaces(() => claims.claim(kind, value, owner, clock.now()));
    if (holder !== owner) throw ownerMismatch();
  }
}

/** One answer, whatever is claimed and by whom: it must not tell one customer about another. */
export function ownerMismatch(): Refusal {
  const message = `${meaningOf('OwnerMismatch')} ${remedyOf('OwnerMismatch', { vaultName: '', keyName: '' })}`;
  const target = keyIdentifierTarget;
  return new Refusal('OwnerMismatch', message, {
    target,
    details: [{ code: 'OwnerMismatch', message, target }],
    info: { cause: 'OwnerMismatch', whoActs: actorOf('OwnerMismatch') },
  });
}
