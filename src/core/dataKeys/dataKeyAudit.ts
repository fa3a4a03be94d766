/**
 * The audit of calls on data keys: a log line for each call, and an entry when the account requests its own access log.
 */
import type { AccountView } from '../accounts/account.ts';
import { type AppendDeps, appendToChain } from '../accounts/appendAuditEntry.ts';
import { accountNotFound } from '../accounts/readAccount.ts';
import type { Actor } from '../audit/auditFacts.ts';
import type { Bytes } from '../base/bytes.ts';
import { measure } from '../base/metrics.ts';
import { fold } from '../base/names.ts';
import type { DataKeyOperation } from '../base/vocabulary.ts';
import type { DataKeysDeps } from './deps.ts';

/**
 * Runs before the answer is sent. An answer is not sent when it cannot be audited, or when its account was deleted
 * after the account was read. @throws Refusal AccountNotFound
 */
export async function auditDataKeys(
  { record }: AccountView,
  { operation, contexts }: { readonly operation: DataKeyOperation; readonly contexts: readonly Bytes[] },
  actor: Actor,
  deps: AppendDeps & Pick<DataKeysDeps, 'log'>,
): Promise<void> {
  const account = fold(record.name);
  const count = contexts.length;
  if (record.auditKeyUse === true) {
    const hashes = contexts.map((hash) => Buffer.from(hash).toString('base64url'));
    const entry = { type: 'DataKeysUsed', actor, operation, count, contexts: [...new Set(hashes)] } as const;
    if (!(await appendToChain(record, [entry], deps))) throw accountNotFound(account);
  }
  deps.log.info('Data keys used', { account, operation, count, actorKind: actor.kind, actor: actor.id });
  measure(deps.log, 'keyward.dataKeys', count, { operation });
}
