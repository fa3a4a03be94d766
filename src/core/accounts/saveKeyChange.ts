/** Saves an account under another key or with a new one: binds first, then writes, then removes the old row. */

import type { AuditFacts } from '../audit/auditFacts.ts';
import { fold } from '../base/names.ts';
import { type AccountView, type ActiveAccount, wrappedByOf } from './account.ts';
import { bind, confirmWatched, leaveBinding, rowToLeave } from './bindAccount.ts';
import type { AccountsDeps } from './deps.ts';
import type { Protected } from './protectAccountKey.ts';
import { savedView } from './readAccount.ts';
import { requestRekey } from './requestRekey.ts';
import { saveAccount, storedOf } from './writeAccount.ts';

/**
 * `pending` comes first in the audit. The proof completes `change`, and so do the old and the new key unless it names
 * them.
 */
export async function saveKeyChange(
  current: AccountView,
  record: ActiveAccount,
  { proof, facts, ...key }: Protected,
  audit: { readonly pending: readonly AuditFacts[]; readonly change: AuditFacts },
  deps: AccountsDeps,
): Promise<AccountView> {
  const leaving = await rowToLeave(record, deps);
  const encryption = await bind(record, key.encryption, proof, deps);
  const [before, after] = [wrappedByOf(record.encryption), wrappedByOf(encryption)];
  const change: AuditFacts = { before, after, ...audit.change, ...facts };
  const next = { ...record, ...key, encryption };
  const saved = await saveAccount(storedOf(current), next, [...audit.pending, change], deps);
  const watch = await confirmWatched(encryption, proof, deps);
  await leaveBinding(record.encryption, encryption, leaving, deps);
  if (key.olderAccountKeys !== undefined) await requestRekey(fold(record.name), deps);
  return savedView(saved, watch, deps);
}
