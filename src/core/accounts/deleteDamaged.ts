/**
 * Deleting an account whose record is damaged (INV-13). Nothing of the record is used. The audit entries, which are authentic,
 * tell which account it was, and get an entry of the deletion. Rows under a binding are left to the daily pass.
 */
import { type Actor, type AuditEntry, appendEntry, headOf } from '../audit/auditEntry.ts';
import { linkedEntries } from '../audit/linkedEntries.ts';
import { LostRace } from '../base/errors.ts';
import type { DeletingAccount } from './account.ts';
import type { AccountsDeps } from './deps.ts';

/** Ends with a record that `finishDelete` clears away, or with none. @throws LostRace when the row has changed */
export async function deleteDamaged(folded: string, etag: string, actor: Actor, service: AccountsDeps): Promise<void> {
  const { accounts, clock } = service;
  const known = await latestInstance(folded, service);
  if (known === undefined) {
    const withoutSecrets = await service.secrets.clear(folded, etag);
    const cleared = await service.resources.clear(folded, withoutSecrets);
    if (!(await accounts.removeRecord(folded, cleared))) throw new LostRace('The record has changed.');
    return;
  }
  const { audit } = await service.rings();
  const now = clock.now();
  const entry = appendEntry(known.last.chain, headOf(known.last), { type: 'AccountDeleted', actor }, now, audit.newest);
  const record: DeletingAccount = {
    lifecycle: 'deleting',
    name: folded,
    instanceId: known.last.chain,
    // Neither is in the audit, and nothing of a deleted account depends on them.
    owner: '',
    location: '',
    createdAt: now,
    updatedAt: now,
    revision: 1,
    audit: headOf(entry),
  };
  await accounts.save({ value: record, etag }, [entry]);
}

/** First and last entry of the chain that began last, of those without a tombstone. */
async function latestInstance(
  folded: string,
  { accounts, rings }: Pick<AccountsDeps, 'accounts' | 'rings'>,
): Promise<{ readonly first: AuditEntry; readonly last: AuditEntry } | undefined> {
  const { audit } = await rings();
  let latest: { readonly first: AuditEntry; readonly last: AuditEntry } | undefined;
  for (const id of await accounts.chains(folded)) {
    if ((await accounts.tombstone(folded, id)) !== undefined) continue;
    let first: AuditEntry | undefined;
    let last: AuditEntry | undefined;
    for await (const entry of linkedEntries({ id, page: (page) => accounts.audit(folded, id, page) }, audit)) {
      first ??= entry;
      last = entry;
    }
    if (first === undefined || last === undefined) continue;
    if (latest === undefined || first.at > latest.first.at) latest = { first, last };
  }
  return latest;
}
