/**
 * Changes a secret in one batch with its audit entry and the head of the chain in the account's record. So the last entry
 * about a secret says which version of it is stored, and one that a writer of the tables puts back, or removes, shows
 * (INV-13).
 */
import type { ActiveAccount } from '../accounts/account.ts';
import type { SecretChange } from '../accounts/ports.ts';
import { accountNotFound } from '../accounts/readAccount.ts';
import type { SecretRow, StoredSecret } from '../accounts/secretRow.ts';
import { type Actor, type AuditFacts, appendEntries, withTrigger } from '../audit/auditEntry.ts';
import { LostRace, retryLostRaces } from '../base/errors.ts';
import type { SecretsDeps } from './deps.ts';
import { pathOf } from './secretAudit.ts';

type Tools = Pick<SecretsDeps, 'accounts' | 'serialize' | 'rings' | 'clock' | 'trigger' | 'secrets'>;

/** @throws LostRace when the secret or the record has changed @throws Refusal AccountNotFound when the instance is gone */
export async function saveSecret(
  { ref, row, etag }: SecretChange & { readonly row: SecretRow },
  account: Instance,
  actor: Actor,
  tools: Tools,
): Promise<Committed> {
  const facts = { type: 'SecretWritten', actor, secrets: [pathOf(ref)], after: row.version } as const;
  const committed = await commit({ ref, row, etag }, facts, account, async () => true, tools);
  if (committed === undefined) throw new LostRace('The secret has changed.');
  return committed;
}

/** False: the secret has changed since it was read, or is gone, and stays. @throws as saveSecret */
export async function removeSecret(
  stored: StoredSecret,
  account: Instance,
  actor: Actor,
  tools: Tools,
): Promise<boolean> {
  const { ref, value, etag } = stored;
  const facts = { type: 'SecretDeleted', actor, secrets: [pathOf(ref)] } as const;
  // A batch deletes under no ETag of its own. Read after the record: a later writer of the secret changes the record.
  const isUnchanged = async () => {
    const now = await tools.secrets.read(ref);
    // A pass that encrypts the value again changes the ETag, and not the version.
    return now !== undefined && (now.etag === etag || (value.version !== '' && now.value.version === value.version));
  };
  return (await retryLostRaces(() => commit({ ref }, facts, account, isUnchanged, tools))) !== undefined;
}

type Instance = Pick<ActiveAccount, 'instanceId'>;

interface Committed {
  /** Of the secret. */
  readonly etag: string;
  /** As it was in the moment of the change. */
  readonly record: ActiveAccount;
}

async function commit(
  change: SecretChange,
  facts: AuditFacts,
  { instanceId }: Instance,
  isUnchanged: () => Promise<boolean>,
  tools: Tools,
): Promise<Committed | undefined> {
  const { audit } = await tools.rings();
  return tools.serialize(change.ref.account, async () => {
    const stored = await tools.accounts.read(change.ref.account);
    const record = stored?.value;
    if (stored === undefined || record?.lifecycle !== 'active' || record.instanceId !== instanceId)
      throw accountNotFound(change.ref.account);
    if (!(await isUnchanged())) return undefined;
    const triggered = withTrigger([facts], tools.trigger);
    const added = appendEntries(instanceId, record.audit, triggered, tools.clock.now(), audit.newest);
    const saved = { value: { ...record, audit: added.head }, etag: stored.etag };
    return { etag: await tools.accounts.saveWithSecret(saved, added.entries, change), record };
  });
}
