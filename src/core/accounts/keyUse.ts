/**
 * Key use: the remote unwraps of an account's key. They are audited in the account's chain when the account requests
 * it, as the customer's own access log. The entries are written after the operation that used the key, so that no
 * verdict waits for them and no account key stays in memory for them. A call or a new lease ends after they are
 * written, because an invocation that has ended may not write any more. A failed entry fails no operation; it is
 * logged.
 */

import type { Actor, AuditFacts, KeyPurpose } from '../audit/auditFacts.ts';
import { defined } from '../base/defined.ts';
import { describeError } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { versionedIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Answer, KeyVault } from '../customerKey/ports.ts';
import type { ActiveAccount } from './account.ts';
import { type AppendDeps, appendToChain } from './appendAuditEntry.ts';
import type { AccountsDeps } from './deps.ts';

export type KeyUse = Pick<AuditFacts, 'key' | 'cause' | 'keyVaultRequestId' | 'durationMs'>;

/** The vault, with a record of every unwrap that was sent to it. */
export function recordingKeyVault(keyVault: KeyVault, uses: KeyUse[]): KeyVault {
  return {
    ...keyVault,
    async unwrap(keyRef, version, wrapped) {
      const answer = await keyVault.unwrap(keyRef, version, wrapped);
      if (wasSent(answer)) uses.push(useOf(versionedIdentifier(keyRef, version), answer));
      return answer;
    },
  };
}

/** A paced vault whose budget is spent is not called at all (watch/pacedKeyVault.ts). */
const wasSent = ({ observed }: Answer<unknown>): boolean =>
  observed.durationMs > 0 || observed.status !== undefined || observed.networkCode !== undefined;

function useOf(key: string, answer: Answer<unknown>): KeyUse {
  const { requestId, durationMs } = answer.observed;
  return {
    key,
    durationMs: Math.round(durationMs),
    ...(answer.ok ? {} : { cause: answer.cause }),
    ...defined({ keyVaultRequestId: requestId }),
  };
}

export interface KeyUser {
  readonly record: Pick<ActiveAccount, 'name' | 'instanceId' | 'auditKeyUse'>;
  readonly purpose: KeyPurpose;
  readonly actor: Actor;
}

type AuditDeps = AppendDeps & Pick<AccountsDeps, 'log'>;

export async function auditKeyUses(
  { record, purpose, actor }: KeyUser,
  uses: readonly KeyUse[],
  deps: AuditDeps,
): Promise<void> {
  if (record.auditKeyUse !== true || uses.length === 0) return;
  try {
    const facts = uses.map((use): AuditFacts => ({ type: 'KeyUsed', actor, purpose, ...use }));
    // An account that is gone has no chain to append to.
    await appendToChain(record, facts, deps);
  } catch (error) {
    deps.log.warn('A key use was not audited', { account: fold(record.name), error: describeError(error) });
  }
}

/** Runs `work` with a vault that records its unwraps, and audits them at the end, also when `work` fails. */
export async function withKeyUse<S extends AuditDeps & Pick<AccountsDeps, 'keyVault'>, T>(
  user: KeyUser,
  deps: S,
  work: (deps: S) => Promise<T>,
): Promise<T> {
  if (user.record.auditKeyUse !== true) return work(deps);
  const uses: KeyUse[] = [];
  try {
    return await work({ ...deps, keyVault: recordingKeyVault(deps.keyVault, uses) });
  } finally {
    await auditKeyUses(user, uses, deps);
  }
}
