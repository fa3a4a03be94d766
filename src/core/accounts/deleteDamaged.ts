/**
 * Deletes an account whose record is damaged (INV-13). It uses nothing of the record. The audit entries are authentic:
 * they name the account and receive an entry of the deletion. The daily pass deletes its rows under a binding.
 */
import { type Actor, type AuditEntry, appendEntry, headOf } from '../audit/auditEntry.ts';
import { linkedEntries } from '../audit/linkedEntries.ts';
import { LostRace } from '../base/errors.ts';
import type { DeletingAccount } from './account.ts';
import type { AccountsDeps } from './deps.ts';

/** Leaves a record that `finishDelete` can delete, or none. @throws LostRace when the row has changed */
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
    // The audit has neither, and a deleted account needs neither.
    owner: '',
    location: '',
    createdAt: now,
    updatedAt: now,
    revision: 1,
    audit: headOf(entry),
  };
  await accounts.save({ value: record, etag }, [entry]);
}

/** First and last entry of the newest chain without a tombstone. */
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
