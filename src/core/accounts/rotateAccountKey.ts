/**
 * Rotates an account key itself, after a suspected leak: a new key of the next generation under the same customer key
 * or the system key. The older key only decrypts. A background pass encrypts the secrets under the
 * new key and then destroys the older one.
 */

import type { Actor } from '../audit/auditFacts.ts';
import { retryLostRaces } from '../base/errors.ts';
import { type AccountView, type Encryption, etagOf } from './account.ts';
import type { AccountsDeps } from './deps.ts';
import { refuseUnlessEnabled } from './gate.ts';
import { withKeyUse } from './keyUse.ts';
import { catchUp } from './missingVerdictEntries.ts';
import { type EncryptionInput, renewAccountKey } from './protectAccountKey.ts';
import { getAccount } from './readAccount.ts';
import { saveKeyChange } from './saveKeyChange.ts';
import { checkPreconditions, type Preconditions, withPreconditions } from './writeAccount.ts';

/**
 * Each call is a rotation. A caller that retries after a lost response sends If-Match to name what it rotates.
 * @throws Refusal AccountNotFound | CustomerKeyInaccessible | PreconditionFailed @throws Unavailable
 * CustomerKeyUnreachable
 */
export function rotateAccountKey(
  name: string,
  conditions: Preconditions,
  actor: Actor,
  deps: AccountsDeps,
): Promise<AccountView> {
  return retryLostRaces(async () => {
    const current = await getAccount(name, deps);
    refuseUnlessEnabled(current);
    checkPreconditions(conditions, etagOf(current.record));
    const { record, facts: pending } = catchUp(current.record, current.watch);
    return withKeyUse({ record, purpose: 'rotate', actor }, deps, async (recording) => {
      const renewed = await renewAccountKey({ ...current, record }, inputOf(record.encryption), recording);
      const change = { type: 'AccountKeyRotated', actor } as const;
      return withPreconditions(conditions, () =>
        saveKeyChange(current, record, renewed, { pending, change }, recording),
      );
    });
  });
}

/**
 * Uses the current version of the customer key. A newer version that breaks a rule must not delay the response to a
 * leak.
 */
function inputOf(encryption: Encryption): EncryptionInput {
  if (encryption.type === 'SystemKey') return { type: 'SystemKey' };
  const { keyIdentifier, version, binding } = encryption;
  return { type: 'CustomerKey', keyIdentifier, version, identity: binding.identity };
}
