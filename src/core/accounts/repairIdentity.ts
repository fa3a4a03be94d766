/**
 * Identity repair: while an account's key is not accessible, the operator can change the identity that uses the same
 * version of the same key, and nothing else. It rests on a fresh unwrap of the account's real wrapped key with the new
 * identity (INV-12). So it helps where Keyward's identity was at fault, and never where the customer has revoked the
 * key.
 */
import canonicalize from 'canonicalize';
import type { Actor, AuditFacts } from '../audit/auditFacts.ts';
import { wipe } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import { keyFailure } from '../customerKey/acceptCustomerKey.ts';
import { type Binding, bindingOf, type KeyVaultIdentity } from '../customerKey/binding.ts';
import { refuseForeign } from '../customerKey/claims.ts';
import { parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import type { AccountView, CustomerKeyEncryption } from './account.ts';
import { currentKeyIdentifier, verdictOn } from './account.ts';
import { openAccountKey } from './accountKey.ts';
import type { AccountsDeps } from './deps.ts';
import { withKeyUse } from './keyUse.ts';
import { catchUp } from './missingVerdictEntries.ts';
import { refuseWhilePending } from './pendingDeletion.ts';
import { getAccount } from './readAccount.ts';
import { saveKeyChange } from './saveKeyChange.ts';

/**
 * @throws Refusal Conflict, or the cause why the key does not open with the identity; Unavailable when the vault did
 * not answer.
 */
export function repairIdentity(
  name: string,
  identity: KeyVaultIdentity,
  actor: Actor,
  deps: AccountsDeps,
): Promise<AccountView> {
  return retryLostRaces(async () => {
    const current = await getAccount(name, deps);
    refuseWhilePending(current.record);
    const { record, facts: pending } = catchUp(current.record, current.watch);
    const { rewrappedAt: _ofTheOldBinding, ...encryption } = repairable({ ...current, record });
    const key = parseKeyIdentifier(encryption.keyIdentifier, deps.cloud);
    const binding = bindingOf(key, deps.homeTenantId, identity);
    if (binding.id === encryption.binding.id)
      throw new Refusal('Conflict', 'The account already reaches its key by this identity.', { target: 'identity' });
    await refuseForeign(binding, record.owner, deps);

    return withKeyUse({ record, purpose: 'repair', actor }, deps, async (recording) => {
      const repaired = { ...encryption, binding };
      const provenAt = recording.clock.now();
      const opened = await openAccountKey({ ...record, encryption: repaired }, recording);
      if (!opened.ok) throw keyFailure(opened.cause, binding, opened.observed, 'identity');
      wipe(opened.value);

      const { wrappedAccountKey, accountKeyGeneration } = record;
      const { requestId } = opened.observed;
      const facts = requestId === undefined ? {} : { keyVaultRequestId: requestId };
      const change: AuditFacts = {
        type: 'IdentityRepaired',
        actor,
        key: currentKeyIdentifier(encryption),
        before: identityText(encryption.binding),
        after: identityText(binding),
      };
      const proof = { at: provenAt, ...defined({ principal: opened.observed.principal }) };
      const key = { encryption: repaired, wrappedAccountKey, accountKeyGeneration, proof, facts };
      return saveKeyChange(current, record, key, { pending, change }, recording);
    });
  });
}

/** @throws Refusal Conflict when the key is accessible, or the account has no customer key. */
function repairable(view: AccountView): CustomerKeyEncryption {
  const { encryption } = view.record;
  if (encryption.type === 'SystemKey')
    throw new Refusal('Conflict', 'The account uses the system key, so it has no identity to repair.');
  const status = verdictOn(view)?.status;
  if (status === undefined || status === 'Accessible')
    throw new Refusal('Conflict', "The account's key is accessible. Change its identity with PATCH.");
  return encryption;
}

/** For the audit: tenant and identity as one text, equal for equal identities. */
const identityText = ({ tenantId, identity }: Binding): string => canonicalize({ tenantId, ...identity }) ?? '';
