/**
 * Accepting a customer key: everything that is checked before one byte is wrapped with it, in an order in which nothing
 * leaves the process before the identifier and the owner's right to the vault are known to be good (INV-8, INV-10).
 */
import { type Binding, bindingOf, isFederated, type KeyVaultIdentity } from './binding.ts';
import { type Cause, classOf, meaningOf, remedyOf } from './causes.ts';
import { type ErrorExtras, Refusal, Unavailable } from './errors.ts';
import { type KeyIdentifier, keyIdentifierTarget, parseKeyIdentifier } from './keyIdentifier.ts';
import { violationsOf } from './keyRules.ts';
import type { ClaimKind, KeyDescription, Observed } from './ports.ts';
import type { Service } from './service.ts';

export interface CustomerKeyWish {
  readonly keyIdentifier: string;
  readonly identity: KeyVaultIdentity;
}

export interface AcceptedKey {
  readonly identifier: KeyIdentifier;
  readonly binding: Binding;
  readonly description: KeyDescription;
}

type AcceptTools = Pick<Service, 'keyVault' | 'claims' | 'clock' | 'cloud' | 'homeTenantId'>;

/** @throws Refusal with every rule that the key breaks in `details`; Unavailable when the vault could not be asked. */
export async function acceptCustomerKey(
  wish: CustomerKeyWish,
  account: { owner: string; location: string },
  tools: AcceptTools,
): Promise<AcceptedKey> {
  const identifier = parseKeyIdentifier(wish.keyIdentifier, tools.cloud);
  const binding = bindingOf(identifier, tools.homeTenantId, wish.identity);
  for (const [kind, value] of claimsOf(binding, tools.homeTenantId)) {
    const holder = await tools.claims.ownerOf(kind, value);
    if (holder !== undefined && holder !== account.owner) throw ownerMismatch();
  }
  const answer = await tools.keyVault.describe(binding, identifier.version);
  if (!answer.ok) throw keyTrouble(answer.cause, binding, answer.observed);
  const violations = violationsOf(answer.value, account, tools.clock.now());
  const [first] = violations;
  if (first !== undefined) {
    throw keyTrouble(first, binding, answer.observed, {
      details: violations.map((cause) => ({
        code: cause,
        message: explain(cause, binding),
        target: keyIdentifierTarget,
      })),
    });
  }
  return { identifier, binding, description: answer.value };
}

/** Makes vault, tenant and identity the owner's, just before the first record names them. First come, and stays. */
export async function claimFor(owner: string, binding: Binding, tools: AcceptTools): Promise<void> {
  for (const [kind, value] of claimsOf(binding, tools.homeTenantId)) {
    const holder = await tools.claims.claim(kind, value, owner, tools.clock.now());
    if (holder !== owner) throw ownerMismatch();
  }
}

/**
 * An identity that only speaks for an application is nobody's own: operators share one among all customers, and alone it opens
 * nothing. Neither is the application: what it may open stands in a tenant and a vault, and both are claimed.
 */
function claimsOf({ vaultHost, tenantId, identity }: Binding, homeTenantId: string): [ClaimKind, string][] {
  const claims: [ClaimKind, string][] = [['vault', vaultHost]];
  if (tenantId !== homeTenantId.toLowerCase()) claims.push(['tenant', tenantId]);
  if (!identity.useSystemAssignedIdentity && !isFederated(identity))
    claims.push(['userAssignedIdentity', identity.userAssignedIdentity.toLowerCase()]);
  return claims;
}

/** One answer, whatever is claimed and by whom: it must not tell one customer about another. */
function ownerMismatch(): Refusal {
  return new Refusal('OwnerMismatch', `${meaningOf('OwnerMismatch')} ${remedyOf('OwnerMismatch', nowhere)}`, {
    target: keyIdentifierTarget,
  });
}
const nowhere = { vaultName: '', keyName: '' };

/** What a caller is told when a key cannot be used now: for good, or for the moment. */
export function keyTrouble(
  cause: Cause,
  binding: Binding,
  observed: Observed,
  extras: ErrorExtras = {},
): Refusal | Unavailable {
  const told: ErrorExtras = {
    target: keyIdentifierTarget,
    ...extras,
    info: {
      cause,
      ...(observed.requestId === undefined ? {} : { keyVaultRequestId: observed.requestId }),
      ...(observed.innerCode === undefined ? {} : { keyVaultInnerCode: observed.innerCode }),
    },
  };
  const message = explain(cause, binding);
  return classOf(cause) === 'unreachable'
    ? new Unavailable(cause, message, observed.retryAfterSeconds ?? 10, told)
    : new Refusal(cause, message, told);
}

const explain = (cause: Cause, binding: Binding): string => `${meaningOf(cause)} ${remedyOf(cause, binding)}`;
