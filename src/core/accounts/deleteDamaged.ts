/**
 * Deletes an account whose record is damaged (INV-13). It uses nothing of the record. The audit entries are authentic:
 * they name the account and receive an entry of the deletion. The daily pass deletes its rows under a binding.
 */
import { type AuditEntry, appendEntry, type ChainHead, headOf } from '../audit/auditEntry.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { headAfter, positionedEntries } from '../audit/chainEnd.ts';
import { LostRace } from '../base/errors.ts';
import type { DeletingAccount } from './account.ts';
import type { AccountsDeps } from './deps.ts';

/** Leaves a record that `finishDelete` can delete, or none. @throws LostRace when the row has changed */
export async function deleteDamaged(folded: string, etag: string, actor: Actor, deps: AccountsDeps): Promise<void> {
  const { accounts, clock } = deps;
  const known = await latestInstance(folded, deps);
  if (known === undefined) {
    const withoutSecrets = await deps.secrets.clear(folded, etag);
    const cleared = await deps.resources.clear(folded, withoutSecrets);
    if (!(await accounts.removeRecord(folded, cleared))) throw new LostRace('The record has changed.');
    return;
  }
  const { audit } = await deps.rings();
  const now = clock.now();
  const entry = appendEntry(
    known.first.chain,
    known.head,
    { type: 'AccountDeleted', actor },
    now,
    audit.newest,
    deps.random,
  );
  const record: DeletingAccount = {
    lifecycle: 'deleting',
    name: folded,
    instanceId: known.first.chain,
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

interface KnownInstance {
  readonly first: AuditEntry;
  readonly head: ChainHead;
}

/** First entry and end of the newest chain without a tombstone. */
async function latestInstance(
  folded: string,
  { accounts, rings }: Pick<AccountsDeps, 'accounts' | 'rings'>,
): Promise<KnownInstance | undefined> {
  const { audit } = await rings();
  let latest: KnownInstance | undefined;
  for (const id of await accounts.chains(folded)) {
    if ((await accounts.tombstone(folded, id)) !== undefined) continue;
    let first: AuditEntry | undefined;
    let head: ChainHead | undefined;
    for await (const positioned of positionedEntries({ id, page: (page) => accounts.audit(folded, id, page) }, audit)) {
      first ??= positioned.entry;
      head = headAfter(positioned);
    }
    if (first === undefined || head === undefined) continue;
    if (latest === undefined || first.at > latest.first.at) latest = { first, head };
  }
  return latest;
}
