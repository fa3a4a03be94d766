/** Saving an account that has come under another key, or has a new one: bound first, then written, then the old row removed. */

import type { AuditFacts } from '../audit/auditEntry.ts';
import { fold } from '../base/names.ts';
import { type AccountView, type ActiveAccount, wrappedByOf } from './account.ts';
import { bind, confirmWatched, leaveBinding, rowToLeave } from './bindAccount.ts';
import type { AccountsDeps } from './deps.ts';
import type { Protected } from './protectAccountKey.ts';
import { requestRekey } from './requestRekey.ts';
import { saveAccount, storedOf } from './writeAccount.ts';

/** `pending` comes first in the audit; `change` is completed by the proof and, unless it says so itself, where from and where to. */
export async function saveKeyChange(
  current: AccountView,
  record: ActiveAccount,
  { provenAt, facts: proof, ...key }: Protected,
  audit: { readonly pending: readonly AuditFacts[]; readonly change: AuditFacts },
  service: AccountsDeps,
): Promise<void> {
  const leaving = await rowToLeave(record, service);
  const encryption = await bind(record, key.encryption, provenAt, service);
  const [before, after] = [wrappedByOf(record.encryption), wrappedByOf(encryption)];
  const change: AuditFacts = { before, after, ...audit.change, ...proof };
  await saveAccount(storedOf(current), { ...record, ...key, encryption }, [...audit.pending, change], service);
  await confirmWatched(encryption, provenAt, service);
  await leaveBinding(record.encryption, encryption, leaving, service);
  if (key.olderAccountKeys !== undefined) await requestRekey(fold(record.name), service);
}
