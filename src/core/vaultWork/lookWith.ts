/** One remote unwrap of the wrapped account key of one account, and what it shows about the customer key. */

import { type WrappedAccount, wrappedByOf } from '../accounts/account.ts';
import { openAccountKey } from '../accounts/accountKey.ts';
import { type KeyUse, recordingKeyVault } from '../accounts/keyUse.ts';
import { wipe } from '../base/bytes.ts';
import type { Cause } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { measure } from '../base/metrics.ts';
import { isFederated } from '../customerKey/binding.ts';
import { needsControlLook } from '../watch/judge.ts';
import type { Evidence, Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import type { LookRound, UsedAccount } from './lookRound.ts';
import { isOwnFault } from './ownIdentity.ts';

/**
 * Causes about the vault or the network: a call for the vault's next key would only wait, or burden the vault, again.
 */
const causesWithoutAnswer: ReadonlySet<Cause> = new Set([
  'Throttled',
  'VaultTimeout',
  'ConnectionFailed',
  'DnsFailure',
  'TlsFailure',
]);

export type LookedAt = WrappedAccount & UsedAccount;

interface Sampled {
  /** False: the bytes of this account are wrong, which says nothing about the key. */
  readonly isAboutKey: boolean;
  /** The vault was called. */
  readonly isCalled: boolean;
}

export async function lookWith(
  sample: LookedAt,
  watch: Watch,
  when: Pick<Evidence, 'version' | 'takenAt'>,
  round: LookRound,
  deps: VaultWorkDeps,
): Promise<
  Pick<Evidence, 'cause' | 'controlLook' | 'keyVaultRequestId' | 'principal' | 'isPrincipalUnknown' | 'clientAddress'> &
    Sampled
> {
  const { log, policy } = deps;
  const uses: KeyUse[] = [];
  const opened = await openAccountKey(sample, { ...deps, keyVault: recordingKeyVault(deps.keyVault, uses) });
  round.used.push({ record: sample, uses });
  const { requestId: keyVaultRequestId, durationMs, principal, isPrincipalAssumed, clientAddress } = opened.observed;
  const isNamed = principal !== undefined && isPrincipalAssumed === undefined;
  const isPrincipalUnknown = isNamed || isFederated(watch.binding.identity) ? undefined : true;
  const proof = defined({ keyVaultRequestId, principal, isPrincipalUnknown, clientAddress });
  const about = { account: sample.name, key: wrappedByOf(sample.encryption), keyVaultRequestId, durationMs };
  measure(log, 'keyward.looks.ms', durationMs, { cause: opened.ok ? 'none' : opened.cause });
  if (opened.ok) {
    wipe(opened.value);
    log.info('Checked a key', { ...about, cause: 'none' });
    return { ...proof, isAboutKey: true, isCalled: true };
  }
  if (causesWithoutAnswer.has(opened.cause)) round.unreachableCause = opened.cause;
  if (opened.cause === 'KeyMaterialMismatch')
    log.error('An account key does not match its record', { ...about, owner: sample.owner });
  const denied = { ...when, cause: opened.cause, ...proof };
  const cause = (await isOwnFault(watch, denied, sample.owner, deps)) ? 'IdentityReplaced' : opened.cause;
  const controlLook = needsControlLook(cause, policy) ? await deps.controlLook(watch.binding) : undefined;
  log.info('Checked a key', { ...about, cause, controlLook });
  const sampled = { isAboutKey: cause !== 'KeyMaterialMismatch', isCalled: opened.observed.status !== undefined };
  return { cause, ...defined({ controlLook }), ...proof, ...sampled };
}
