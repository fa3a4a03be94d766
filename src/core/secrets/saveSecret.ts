/**
 * Changes a secret in one batch with its audit entry and the head of the chain in the account's record. So the last
 * entry about a secret says which version of it is stored, and one that a writer of the tables puts back, or removes,
 * shows (INV-13). No secret appears in an account that is deleted, or whose deletion is pending.
 */
import type { ActiveAccount } from '../accounts/account.ts';
import { refuseWhilePending } from '../accounts/pendingDeletion.ts';
import type { SecretChange } from '../accounts/ports.ts';
import { accountNotFound } from '../accounts/readAccount.ts';
import type { SecretRow, StoredSecret } from '../accounts/secretRow.ts';
import { appendEntries } from '../audit/auditEntry.ts';
import { type Actor, type AuditFacts, withTrigger } from '../audit/auditFacts.ts';
import { LostRace, retryLostRaces } from '../base/errors.ts';
import type { SecretsDeps } from './deps.ts';
import { pathOf } from './secretAudit.ts';

type Deps = Pick<SecretsDeps, 'accounts' | 'serialize' | 'rings' | 'clock' | 'random' | 'trigger' | 'secrets'>;
type Instance = Pick<ActiveAccount, 'instanceId'>;

/** `isCurrent`: whether the row may be saved beside the record as it is in the moment of the change. */
export interface SavedRow extends SecretChange {
  readonly row: SecretRow;
  readonly isCurrent?: (record: ActiveAccount) => boolean;
}

/**
 * Returns the secret's ETag. @throws LostRace when the secret has changed, or the row is not current @throws Refusal
 * AccountNotFound when the instance is gone | AccountPendingDeletion
 */
export async function saveSecret(
  { ref, row, etag, isCurrent = () => true }: SavedRow,
  account: Instance,
  actor: Actor,
  deps: Deps,
): Promise<string> {
  const facts = { type: 'SecretWritten', actor, secrets: [pathOf(ref)], after: row.version } as const;
  const isSeen = async (record: ActiveAccount, isFirst: boolean) =>
    isCurrent(record) && (isFirst || (await deps.secrets.read(ref))?.etag === etag);
  const saved = await commit({ ref, row, etag }, facts, account, isSeen, deps);
  if (saved === undefined) throw new LostRace('The secret or its account has changed.');
  return saved;
}

/** False: the secret has changed since it was read, or is gone, and stays. @throws Refusal as saveSecret */
export async function removeSecret(
  { ref, value, etag }: StoredSecret,
  account: Instance,
  actor: Actor,
  deps: Deps,
): Promise<boolean> {
  const facts = { type: 'SecretDeleted', actor, secrets: [pathOf(ref)] } as const;
  // A batch deletes under no ETag of its own. Read after the record: a later writer of the secret changes the record.
  const isSeen = async () => {
    const now = await deps.secrets.read(ref);
    // A pass that encrypts the value again changes the ETag, and not the version.
    return now !== undefined && (now.etag === etag || (value.version !== '' && now.value.version === value.version));
  };
  return (await commit({ ref }, facts, account, isSeen, deps)) !== undefined;
}

/** Undefined: the secret is not as the caller has seen it. Other writers of the account are no reason to give up. */
async function commit(
  change: SecretChange,
  facts: AuditFacts,
  { instanceId }: Instance,
  isSeen: (record: ActiveAccount, isFirst: boolean) => Promise<boolean>,
  deps: Deps,
): Promise<string | undefined> {
  const { account } = change.ref;
  const triggered = withTrigger([facts], deps.trigger);
  let isFirst = true;
  const attempt = async () => {
    const stored = await deps.accounts.read(account);
    const record = stored?.value;
    if (stored === undefined || record?.lifecycle !== 'active' || record.instanceId !== instanceId)
      throw accountNotFound(account);
    refuseWhilePending(record);
    if (!(await isSeen(record, isFirst))) return undefined;
    isFirst = false;
    const { audit } = await deps.rings();
    const added = appendEntries(instanceId, record.audit, triggered, deps.clock.now(), audit.newest, deps.random);
    const saved = { value: { ...record, audit: added.head }, etag: stored.etag };
    return deps.accounts.saveWithSecret(saved, added.entries, change);
  };
  return deps.serialize(account, () => retryLostRaces(attempt));
}
