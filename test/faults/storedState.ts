/** What an operation left in storage, in a form that two runs of it share. */
import { openAccountKey } from '../../src/core/accounts/accountKey.ts';
import { listAccountsOf } from '../../src/core/accounts/readAccount.ts';
import { revealResource } from '../../src/core/ams/revealResource.ts';
import type { AuditEntry } from '../../src/core/audit/auditEntry.ts';
import type { AuditType } from '../../src/core/audit/auditFacts.ts';
import type { Tombstone } from '../../src/core/audit/ports.ts';
import { hex } from '../../src/core/base/bytes.ts';
import type { Opened } from '../../src/core/secrets/openStoredSecrets.ts';
import { revealPage } from '../../src/core/secrets/revealSecret.ts';
import type { Service } from '../../src/core/service.ts';
import { accountEntries, bindingEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import type { CloudEvent, Topic } from '../../src/local/topic/topic.ts';
import { firstBrokenLink } from '../chain.ts';
import { hostOf, placeOf, policyOf } from './given.ts';

/**
 * A witness that reads each row once, for one account that does not change any more. Its reveals write no audit entry.
 */
export const reader = (witness: Service): Service => ({
  ...witness,
  accounts: { ...readOnce(witness.accounts), save: async () => '' },
  bindings: readOnce(witness.bindings),
});

/** Answers a repeated call with the result of the first. */
function readOnce<Store extends object>(store: Store): Store {
  const results = new Map<string, unknown>();
  return Object.fromEntries(
    Object.entries(store).map(([name, read]) => [
      name,
      (...args: unknown[]) => {
        const call = `${name} ${JSON.stringify(args)}`;
        if (!results.has(call)) results.set(call, read(...args));
        return results.get(call);
      },
    ]),
  ) as Store;
}

/** The state without random parts: names, generations and values of keys, and the types of audit entries. */
export async function stateOf(account: string, stored: Service): Promise<unknown> {
  const found = await stored.accounts.read(account);
  const { accounts: listed } = await listAccountsOf(placeOf(account), 10, undefined, stored);
  const isListed = listed.length === 1;
  const policy = await stored.resources.read(policyOf(account));
  const isClaimed = (await stored.claims.find('vault', hostOf(account))) !== undefined;
  if (found === undefined) {
    const buried = await buriedOf(account, stored);
    const entries = await Promise.all(buried.map(({ instanceId }) => accountEntries(account, instanceId, stored)));
    return { account: 'none', isListed, isClaimed, policy, audits: entries.map((all) => all.map(({ type }) => type)) };
  }
  const record = found.value;
  if (record.lifecycle !== 'active') return { account: record.lifecycle };
  const opened = await openAccountKey(record, stored);
  const secrets = await revealPage({ account, kind: 'tokenKeys', limit: 100 }, { actor: tester }, stored);
  const entries = await accountEntries(account, record.instanceId, stored);
  const { encryption } = record;
  return {
    generation: record.accountKeyGeneration,
    older: record.olderAccountKeys?.phase,
    tags: record.tags,
    key:
      encryption.type === 'CustomerKey'
        ? { isNewest: await isNewest(account, stored), identity: encryption.binding.identity }
        : 'SystemKey',
    opens: opened.ok,
    isListed,
    policy: policy && (await revealResource(policy, hex, { actor: tester }, stored)),
    secrets: ownOf(secrets.secrets).map(({ row, plain }) => [
      row.value.name,
      plain === undefined ? undefined : hex(plain),
    ]),
    audit: entries
      .filter((entry) => !isOfResource(entry))
      .map(({ type }) => type)
      // Written after the use. A fault loses the entry instead of failing the operation.
      .filter((type) => type !== 'KeyUsed')
      .filter((type, index, all) => !isDoneAgain(type, all[index - 1])),
  };
}

/** The resource shows its secrets. The daily pass deletes secrets that a failed call left. */
const ownOf = (secrets: readonly Opened[]) => secrets.filter(({ row }) => row.value.of === undefined);

/** A failed call can leave a secret of a resource with its entry. The daily pass deletes it, with another entry. */
const isOfResource = ({ type, secrets = [] }: AuditEntry): boolean =>
  (type === 'SecretWritten' || type === 'SecretDeleted') && !secrets.every((path) => /^tokenKeys\/[ab]$/.test(path));

/** These happen again when they are repeated, with one entry for each. */
const repeated: ReadonlySet<AuditType> = new Set(['SecretsRevealed', 'SecretWritten', 'AccountKeyRewrapped']);
const isDoneAgain = (type: AuditType, before: AuditType | undefined) => type === before && repeated.has(type);

export async function isNewest(account: string, { accounts: store, keyVault: vaults }: Service): Promise<boolean> {
  const stored = await store.read(account);
  const { encryption } = stored?.value.lifecycle === 'active' ? stored.value : {};
  if (encryption?.type !== 'CustomerKey') return false;
  const latest = await vaults.describe(encryption.binding);
  return latest.ok && latest.value.version === encryption.version;
}

/** The remaining rows of earlier accounts of the name. */
async function buriedOf(account: string, { accounts: store }: Service): Promise<Tombstone[]> {
  const { tombstones } = await store.tombstones(account, { limit: 10 });
  return tombstones.map(({ value }) => value as Tombstone);
}

/** INV-6: entries of the account's and its watch's chain that are neither published nor in the outbox. */
export async function unannounced(account: string, stored: Service, topic: Topic): Promise<unknown[]> {
  const record = (await stored.accounts.read(account))?.value;
  const [instance = record] = await buriedOf(account, stored);
  if (instance === undefined) return [];
  const encryption = record?.lifecycle === 'active' ? record.encryption : undefined;
  const bindingId = encryption?.type === 'CustomerKey' ? encryption.binding.id : undefined;
  const entries = [
    ...(await accountEntries(account, instance.instanceId, stored)),
    ...(bindingId === undefined ? [] : await bindingEntries(bindingId, stored)),
  ];
  // Read the outbox first: an entry that is missing there was published before.
  const { rows } = await stored.outbox.page({ before: Date.now() + 60_000, limit: 10_000 });
  const published = new Set([...rows.flatMap((row) => row.hashes), ...topic.published.map(hashIn)]);
  return entries.filter(({ hash }) => !published.has(hash));
}

const hashIn = ({ data }: CloudEvent): string => (data as { hash: string }).hash;

/** INV-6: every chain of the account and of its watch, up to the stored head. */
export async function brokenChains(account: string, stored: Service): Promise<unknown[]> {
  const { audit } = await stored.rings();
  const record = (await stored.accounts.read(account))?.value;
  const broken = [];
  for (const { instanceId, audit: head } of record === undefined ? await buriedOf(account, stored) : [record]) {
    const entries = await accountEntries(account, instanceId, stored);
    broken.push(await firstBrokenLink(instanceId, entries, head, (kek) => audit.kek(kek)));
  }
  const encryption = record?.lifecycle === 'active' ? record.encryption : undefined;
  if (encryption?.type === 'CustomerKey') {
    const { id } = encryption.binding;
    const watch = await stored.bindings.readWatch(id);
    const entries = await bindingEntries(id, stored);
    broken.push(
      watch === undefined ? -1 : await firstBrokenLink(id, entries, watch.value.audit, (kek) => audit.kek(kek)),
    );
  }
  return broken.filter((link) => link !== undefined);
}
