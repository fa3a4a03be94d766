/** Saves a record with its audit entry in one batch: the only way to change an account (INV-6, INV-7). */
import canonicalize from 'canonicalize';
import { appendEntries, appendEntry, emptyChain, headOf } from '../audit/auditEntry.ts';
import { type AuditFacts, withTrigger } from '../audit/auditFacts.ts';
import { LostRace, Refusal } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import type { AccountRecord, AccountView, ActiveAccount } from './account.ts';
import type { AccountsDeps } from './deps.ts';

type WriteDeps = Pick<AccountsDeps, 'accounts' | 'rings' | 'clock' | 'random' | 'trigger'>;

/** @throws LostRace when another caller has taken the name in the meantime. */
export async function insertAccount(
  record: Omit<ActiveAccount, 'audit' | 'revision'>,
  facts: AuditFacts,
  deps: WriteDeps,
): Promise<Stored<ActiveAccount>> {
  const { audit } = await deps.rings();
  const [fact = facts] = withTrigger([facts], deps.trigger);
  const entry = appendEntry(record.instanceId, emptyChain, fact, deps.clock.now(), audit.newest, deps.random);
  const value = { ...record, revision: 1, audit: headOf(entry) };
  return { value, etag: await deps.accounts.create(value, [entry]) };
}

/** @throws LostRace when another writer was faster. */
export function saveAccount<T extends AccountRecord>(
  before: Stored<AccountRecord>,
  next: T,
  facts: readonly AuditFacts[],
  deps: WriteDeps,
): Promise<Stored<T>> {
  const revised = { ...next, revision: before.value.revision + 1, updatedAt: deps.clock.now() };
  return saveWithSameEtag(before, revised, facts, deps);
}

const maxTries = 5;

/**
 * A change that no caller sees: the account's ETag and time stay. Entries that were added since the record was read,
 * and changed nothing else of it, are no conflict. @throws LostRace when another writer was faster.
 */
export async function saveWithSameEtag<T extends AccountRecord>(
  before: Stored<AccountRecord>,
  next: T,
  facts: readonly AuditFacts[],
  deps: WriteDeps,
): Promise<Stored<T>> {
  const { audit } = await deps.rings();
  const triggered = withTrigger(facts, deps.trigger);
  let current = before;
  for (let tries = 1; ; tries++) {
    const now = deps.clock.now();
    const { entries, head } = appendEntries(
      next.instanceId,
      current.value.audit,
      triggered,
      now,
      audit.newest,
      deps.random,
    );
    const value = { ...next, audit: head };
    try {
      return { value, etag: await deps.accounts.save({ value, etag: current.etag }, entries) };
    } catch (error) {
      const again = error instanceof LostRace && tries < maxTries ? await deps.accounts.read(next.name) : undefined;
      if (again === undefined || !isSameButForAudit(again.value, before.value)) throw error;
      current = again;
    }
  }
}

/** Not by the revision: a change that no caller sees, such as a blob under another KEK, changes the record as well. */
function isSameButForAudit({ audit: _, ...one }: AccountRecord, { audit: __, ...other }: AccountRecord): boolean {
  return canonicalize(one) === canonicalize(other);
}

export const storedOf = (view: AccountView): Stored<ActiveAccount> => ({ value: view.record, etag: view.etag });

/** Conditions that a caller may set on a write (RFC 9110, 13.1). */
export interface Preconditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: '*';
}

/** @throws Refusal PreconditionFailed */
export function checkPreconditions(conditions: Preconditions, current: string | undefined, what = 'account'): void {
  const { ifMatch, ifNoneMatch } = conditions;
  const failed =
    (ifMatch !== undefined && (current === undefined || !isListed(current, ifMatch))) ||
    (ifNoneMatch === '*' && current !== undefined);
  if (failed) {
    throw new Refusal(
      'PreconditionFailed',
      current === undefined
        ? `If-Match is set, but the ${what} does not exist.`
        : `The ${what} has changed, or exists: its ETag is ${current}. Read it again.`,
      { target: ifMatch === undefined ? 'If-None-Match' : 'If-Match' },
    );
  }
}

/** `*`, or a list of ETags, of which a weak one never matches (RFC 9110, 13.1.1). Keyward's ETags hold no comma. */
const isListed = (etag: string, ifMatch: string): boolean =>
  ifMatch.split(',').some((one) => one.trim() === '*' || one.trim() === etag);

/** With a condition of the caller, a lost race is reported to the caller. Without one, the decision is made again. */
export async function withPreconditions<T>(conditions: Preconditions, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw error instanceof LostRace && conditions.ifMatch !== undefined ? changedDuringCall() : error;
  }
}

export const changedDuringCall = (): Refusal =>
  new Refusal('PreconditionFailed', 'The account changed during this call. Read it again.', { target: 'If-Match' });
