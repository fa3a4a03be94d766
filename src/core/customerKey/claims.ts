/**
 * Claims: vaults, tenants and user-assigned identities belong to the owner whose account was the first to be bound
 * through them (INV-10). An account first writes its row under the binding, then claims, and then its record names the
 * binding. A release first marks the claim, then looks for rows, and then removes the claim only if it is unchanged. So
 * one of the two always sees the other: the release finds the row, or the account finds the mark. An account never
 * loses its claim.
 */

import { actorOf, meaningOf, remedyOf } from '../base/causes.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { type Binding, isFederated } from './binding.ts';
import type { CustomerKeyDeps } from './deps.ts';
import { keyIdentifierTarget } from './keyIdentifier.ts';
import type { ClaimKind } from './ports.ts';

type ClaimDeps = Pick<CustomerKeyDeps, 'claims' | 'homeTenantId' | 'operatorVaults'>;

/**
 * Everything that the owner must hold for a binding. An identity that only authenticates an application belongs to no
 * owner: operators share one among all customers, and it opens nothing alone. The application belongs to no owner
 * either: a tenant and a vault decide what it may open, and both are claimed.
 */
export function claimsOf({ vaultHost, tenantId, identity }: Binding, homeTenantId: string): [ClaimKind, string][] {
  const claims: [ClaimKind, string][] = [['vault', vaultHost]];
  if (tenantId !== fold(homeTenantId)) claims.push(['tenant', tenantId]);
  if (!identity.useSystemAssignedIdentity && !isFederated(identity))
    claims.push(['userAssignedIdentity', fold(identity.userAssignedIdentity)]);
  return claims;
}

/** The first owner holds the claim. @throws Refusal OwnerMismatch */
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

/** Whether no other owner holds a claim of the binding. The vaults of the operator are never a customer's. */
export async function mayBeUsed(
  binding: Binding,
  owner: string,
  { claims, homeTenantId, operatorVaults }: ClaimDeps,
): Promise<boolean> {
  if (operatorVaults.has(binding.vaultHost)) return false;
  for (const [kind, value] of claimsOf(binding, homeTenantId)) {
    const holder = (await claims.find(kind, value))?.value.owner;
    if (holder !== undefined && holder !== owner) return false;
  }
  return true;
}

/** Runs before any call to the vault. @throws Refusal OwnerMismatch */
export async function refuseForeign(binding: Binding, owner: string, deps: ClaimDeps): Promise<void> {
  if (!(await mayBeUsed(binding, owner, deps))) throw ownerMismatch();
}

/** The same answer for every claim and every holder: it must not disclose facts about another customer. */
export function ownerMismatch(): Refusal {
  const message = `${meaningOf('OwnerMismatch')} ${remedyOf('OwnerMismatch', { vaultName: '', keyName: '' })}`;
  const target = keyIdentifierTarget;
  return new Refusal('OwnerMismatch', message, {
    target,
    details: [{ code: 'OwnerMismatch', message, target }],
    info: { cause: 'OwnerMismatch', whoActs: actorOf('OwnerMismatch') },
  });
}
