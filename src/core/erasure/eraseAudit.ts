/**
 * Erases the owner and the actors from what remains of a deleted account (GDPR, Art. 17), and shreds the salts, so that
 * no stored value leads from a pseudonym to its name. The hashes stay: the chain, its checkpoints and receipts verify
 * as before. Only the tombstone says which owner is left to erase, so it is the last row. A call that ends early, or is
 * killed at any write, is completed by the next one.
 */
import type { AuditEntry } from '../audit/auditEntry.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { ownChain } from '../audit/chains.ts';
import type { EntriesLeft, EntryLeft, Tombstone } from '../audit/ports.ts';
import { recordForService, serviceChain } from '../audit/serviceAudit.ts';
import { unlessDamaged } from '../base/damagedRow.ts';
import { defined } from '../base/defined.ts';
import { LostRace, Refusal, retryLostRaces } from '../base/errors.ts';
import { parseAccountName } from '../base/names.ts';
import type { Stored } from '../base/stored.ts';
import { iso } from '../base/time.ts';
import { type IndexPosition, positionOf } from '../overview/indexRows.ts';
import { olderKeyWaitMs } from '../rings/durations.ts';
import { type ErasedEntries, eraseEntries } from './eraseEntries.ts';
import type { ErasureDeps } from './ports.ts';

/** In the place of an erased owner. No owner has this name. */
const erasedOwner = '(erased)';

/** Azure ends a call after 230 s. */
const eraseMs = 90_000;

/** A row of the Table service has 32,768 characters of text. */
const entriesListed = 100;

/** `item`: an entry, a claim as `<kind>/<value>`, or the name of an account. */
export type Left = EntryLeft | { readonly reason: 'ClaimOfOwner' | 'OwnerHasAccounts'; readonly item: string };

export interface Erasure {
  /** `partial`: something is left that this call may not erase. `unfinished`: the time of the call is over. */
  readonly result: 'erased' | 'partial' | 'unfinished';
  /** Entries that this call has erased. */
  readonly entries: number;
  /** Of this call, and of the calls that it continues. */
  readonly left: readonly Left[];
  /** Further entries are left. */
  readonly hasMore?: true;
}

/** @throws Refusal NotFound; Conflict when the account is not deleted, or was deleted just now @throws Unavailable */
export async function eraseAudit(name: string, instanceId: string, actor: Actor, deps: ErasureDeps): Promise<Erasure> {
  const account = parseAccountName(name);
  const { erasure, clock } = deps;
  const stored = await deletedAccount(account, instanceId, deps);
  const { value: tombstone } = stored;
  await recordForService([{ type: 'AuditErased', actor, account, accountId: instanceId }], deps);
  const until = clock.monotonic() + eraseMs;
  const isLate = () => clock.monotonic() > until;
  const { audit } = await deps.rings('fresh');

  const subject = { kind: 'account', name: account, owner: erasedOwner } as const;
  const { at, next, ofService: begun, ...known } = tombstone.erasure ?? {};
  const ofAccount: ErasedEntries =
    begun !== undefined
      ? { erased: 0, left: [] }
      : await eraseEntries(
          {
            id: instanceId,
            page: (page) => deps.accounts.audit(account, instanceId, page),
            isWanted: () => true,
            about: { subject, owner: erasedOwner },
            replace: (entries) => erasure.replaceEntries({ account }, entries),
          },
          next,
          isLate,
          audit,
          deps,
        );
  if (ofAccount.next !== undefined) {
    const met = listed(known, ofAccount.left);
    const progress = { ...defined({ at }), next: ofAccount.next, ...met };
    await save({ ...stored, value: { ...tombstone, erasure: progress } }, deps);
    return { result: 'unfinished', entries: ofAccount.erased, ...met };
  }
  for (const row of await erasure.waitingOf(instanceId)) await erasure.putWaiting({ ...row, subject });

  const ofOwner = await ownerLeft(tombstone, deps);
  const isOwnerGone = ofOwner.length === 0;
  const ofService = await eraseEntries(
    {
      id: serviceChain,
      page: ownChain(deps).page,
      isWanted: (entry) => isAbout(entry, account, tombstone, isOwnerGone),
      about: { subject: { kind: 'service' } },
      replace: (entries) => erasure.replaceEntries('service', entries),
    },
    // What it looks for has changed: from the beginning.
    begun?.isOwnerGone === isOwnerGone ? begun.next : undefined,
    isLate,
    audit,
    deps,
  );
  if (isOwnerGone) await forgetOwner(tombstone, deps);

  const entries = ofAccount.erased + ofService.erased;
  const met = listed(known, [...ofAccount.left, ...ofService.left]);
  const left = [...met.left, ...ofOwner];
  if (ofService.next !== undefined) {
    const progress = { ...defined({ at }), ofService: { next: ofService.next, isOwnerGone }, ...met };
    await save({ ...stored, value: { ...tombstone, erasure: progress } }, deps);
    return { ...met, result: 'unfinished', entries, left };
  }
  // The next call finds the owner of a claim here.
  const owner = ofOwner.some(({ reason }) => reason === 'ClaimOfOwner') ? tombstone.owner : erasedOwner;
  const done = left.length === 0 ? { at: at ?? clock.now() } : {};
  await save({ ...stored, value: { ...tombstone, owner, erasure: done } }, deps);
  return { ...met, result: left.length === 0 ? 'erased' : 'partial', entries, left };
}

/** The entries that are left, each once. */
function listed({ left = [], hasMore }: Partial<EntriesLeft>, more: readonly EntryLeft[]): EntriesLeft {
  const all = [...new Map([...left, ...more].map((one) => [one.item, one])).values()];
  const isMore = hasMore === true || all.length > entriesListed;
  return { left: all.slice(0, entriesListed), ...(isMore ? { hasMore: true } : {}) };
}

async function deletedAccount(name: string, instanceId: string, deps: ErasureDeps): Promise<Stored<Tombstone>> {
  const [record, row] = await Promise.all([deps.accounts.readRaw(name), deps.accounts.tombstone(name, instanceId)]);
  const isPresent = record !== undefined && (record.value === undefined || record.value.instanceId === instanceId);
  if (isPresent)
    throw new Refusal(
      'Conflict',
      `The account '${name}' is not deleted, or its deletion is not finished. DELETE it with now=true first.`,
      { target: 'accountId' },
    );
  if (row?.value === undefined)
    throw new Refusal(
      'NotFound',
      `No deleted account of the name '${name}' has this id. GET operator/accounts/${name}/instances lists the ids.`,
      { target: 'accountId' },
    );
  const from = row.value.deletedAt + olderKeyWaitMs;
  if (deps.clock.now() < from)
    throw new Refusal(
      'Conflict',
      `The account was deleted just now, and a call on it may still write to its audit. Erase it after ${iso(from)}.`,
      { target: 'accountId' },
    );
  return { value: row.value, etag: row.etag };
}

/** @throws Refusal Conflict */
async function save(tombstone: Stored<Tombstone>, { erasure }: Pick<ErasureDeps, 'erasure'>): Promise<void> {
  if (await erasure.saveTombstone(tombstone)) return;
  throw new Refusal('Conflict', 'Another call erases this account now. Call again when that call has ended.');
}

/** Why Keyward must still know the owner. */
async function ownerLeft({ owner }: Tombstone, deps: ErasureDeps): Promise<Left[]> {
  if (!isKnown(owner)) return [];
  await deps.overview.settled();
  for (let at: IndexPosition = { owner }; ; ) {
    const { rows, isLast } = await deps.overviewIndex.ofOwner(at, 1000);
    for (const row of rows) {
      if (row.kind !== 'account') continue;
      const record = await unlessDamaged(deps.accounts.read(row.account.name));
      if (record === 'damaged' || record?.value.owner === owner)
        return [{ reason: 'OwnerHasAccounts', item: row.account.name }];
    }
    const last = rows.at(-1);
    if (isLast || last === undefined) break;
    at = positionOf(last);
  }
  const claims = await deps.erasure.claimsOf(owner);
  return claims.map(({ kind, value }) => ({ reason: 'ClaimOfOwner', item: `${kind}/${value}` }));
}

const isKnown = (owner: string): boolean => owner !== '' && owner !== erasedOwner;

/** Whether an entry of the service's own chain names the owner, or who called for the account before it existed. */
function isAbout(entry: AuditEntry, account: string, { owner, deletedAt }: Tombstone, isOwnerGone: boolean): boolean {
  if (entry.type === 'AuditErased') return false;
  if (entry.account === account && entry.at <= iso(deletedAt)) return true;
  const isOfOwner =
    entry.owners?.includes(owner) === true || (entry.type === 'ClaimReleased' && entry.before === owner);
  return isOwnerGone && isKnown(owner) && isOfOwner;
}

/** What is stored about an owner without accounts and claims. */
async function forgetOwner({ owner }: Tombstone, deps: ErasureDeps): Promise<void> {
  if (!isKnown(owner)) return;
  for (const { id } of await deps.customerLinks.list(owner)) await deps.customerLinks.remove(owner, id);
  for (const { identity, denials } of await deps.identityDenials.list()) {
    if (!denials.some((denial) => denial.owner === owner)) continue;
    await retryLostRaces(async () => {
      const stored = await deps.identityDenials.read(identity);
      if (stored === undefined) return;
      const others = stored.value.denials.filter((denial) => denial.owner !== owner);
      if (!(await deps.identityDenials.write({ ...stored.value, denials: others }, stored.etag)))
        throw new LostRace('A look has recorded a denial.');
    });
  }
  await deps.erasure.removeFromOverview(owner);
}
