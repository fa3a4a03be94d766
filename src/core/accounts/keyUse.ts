/**
 * Key use: remote unwraps of an account's key, told in its chain where the account asks for it, as the customer's own access log.
 * They are told once what they were for has come to its end: no verdict, and no key that is held already, waits for them. A call, or a
 * lease that was opened, ends when they are told, because after an invocation nothing is sure to be written any more. Nothing fails
 * with them: one that cannot be written is told by the log.
 */

import type { Actor, AuditFacts, KeyPurpose } from '../audit/auditEntry.ts';
import { defined } from '../base/defined.ts';
import { describeError } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { versionedIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Answer, KeyVault } from '../customerKey/ports.ts';
import type { ActiveAccount } from './account.ts';
import { type AppendTools, appendToChain } from './appendAuditEntry.ts';
import type { AccountsDeps } from './deps.ts';

export type KeyUse = Pick<AuditFacts, 'key' | 'cause' | 'keyVaultRequestId' | 'durationMs'>;

/** The vault, and a note of every unwrap that it was asked for. */
export function recordingKeyVault(keyVault: KeyVault, uses: KeyUse[]): KeyVault {
  return {
    ...keyVault,
    async unwrap(keyRef, version, wrapped) {
      const answer = await keyVault.unwrap(keyRef, version, wrapped);
      if (wasAsked(answer)) uses.push(useOf(versionedIdentifier(keyRef, version), answer));
      return answer;
    },
  };
}

/** A vault whose budget is spent is not asked at all (work/spending.ts). */
const wasAsked = ({ observed }: Answer<unknown>): boolean =>
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

/** Whose key it was, and what for. */
export interface KeyUser {
  readonly record: Pick<ActiveAccount, 'name' | 'instanceId' | 'auditKeyUse'>;
  readonly purpose: KeyPurpose;
  readonly actor: Actor;
}

type TellTools = AppendTools & Pick<AccountsDeps, 'log'>;

export async function auditKeyUses(
  { record, purpose, actor }: KeyUser,
  uses: readonly KeyUse[],
  tools: TellTools,
): Promise<void> {
  if (record.auditKeyUse !== true || uses.length === 0) return;
  try {
    const facts = uses.map((use): AuditFacts => ({ type: 'KeyUsed', actor, purpose, ...use }));
    // Of an account that is gone there is nobody to tell.
    await appendToChain(record, facts, tools);
  } catch (error) {
    tools.log.warn('A key use was not audited', { account: fold(record.name), error: describeError(error) });
  }
}

/** A story with a vault that notes, and what it has noted told at its end, however it ends. */
export async function withKeyUse<S extends TellTools & Pick<AccountsDeps, 'keyVault'>, T>(
  user: KeyUser,
  service: S,
  story: (service: S) => Promise<T>,
): Promise<T> {
  if (user.record.auditKeyUse !== true) return story(service);
  const uses: KeyUse[] = [];
  try {
    return await story({ ...service, keyVault: recordingKeyVault(service.keyVault, uses) });
  } finally {
    await auditKeyUses(user, uses, service);
  }
}
