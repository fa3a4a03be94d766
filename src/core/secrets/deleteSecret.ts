/** Deletes secrets. Needs no key. In the inaccessible state the call is refused like every other call on secrets. */

import type { SecretRef } from '../accounts/secretRow.ts';
import { checkPreconditions, type Preconditions } from '../accounts/writeAccount.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { LostRace, retryLostRaces } from '../base/errors.ts';
import type { SecretsDeps } from './deps.ts';
import { accountToServe, secretEtagOf } from './readSecret.ts';
import { removeSecret } from './saveSecret.ts';
import { keyward } from './secretAudit.ts';

/**
 * Returns whether there was a secret to delete. @throws Refusal AccountNotFound | CustomerKeyInaccessible |
 * PreconditionFailed
 */
export function deleteSecret(
  ref: SecretRef,
  conditions: Preconditions,
  deps: SecretsDeps,
  actor: Actor = keyward,
): Promise<boolean> {
  return retryLostRaces(async () => {
    const [{ record }, row] = await Promise.all([accountToServe(ref.account, deps), deps.secrets.read(ref)]);
    checkPreconditions(conditions, row && secretEtagOf(row), 'secret');
    if (row === undefined) return false;
    if (!(await removeSecret(row, record, actor, deps))) throw new LostRace('The secret has changed.');
    return true;
  });
}
