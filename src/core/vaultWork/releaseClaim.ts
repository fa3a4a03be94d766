/**
 * The operator releases a claim: the vault, tenant or identity then belongs to the owner of the next account that is
 * bound through it. The release is refused while any account is bound or being bound through it. claims.ts explains how
 * the two see each other.
 */
import type { Actor } from '../audit/auditFacts.ts';
import { recordForService } from '../audit/serviceAudit.ts';
import { LostRace, Refusal, retryLostRaces } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { type Binding, vaultIdOf } from '../customerKey/binding.ts';
import { claimsOf } from '../customerKey/claims.ts';
import type { Claim, ClaimKind } from '../customerKey/ports.ts';
import { type BoundRow, boundAccounts, staleRowMs } from '../watch/boundAccounts.ts';
import type { VaultWorkDeps } from './deps.ts';
import { openWatch, readIfWhole } from './restoreWatch.ts';

export interface ClaimName {
  readonly kind: ClaimKind;
  readonly value: string;
}

/** @throws Refusal NotFound */
export async function getClaim(name: ClaimName, deps: VaultWorkDeps): Promise<Claim> {
  return (await requireClaim(name, deps)).value;
}

/** Returns the released claim. @throws Refusal NotFound | Conflict */
export function releaseClaim(name: ClaimName, actor: Actor, deps: VaultWorkDeps): Promise<Claim> {
  return retryLostRaces(async () => {
    const marked = await deps.claims.mark(await requireClaim(name, deps), true);
    if (marked === undefined) throw new LostRace();
    // A re-wrap moves from row to row, and can pass the reader. So a read that finds no account is repeated.
    const { owner: holder } = marked.value;
    const bound = (await boundThrough(name, holder, deps)) ?? (await boundThrough(name, holder, deps));
    if (bound !== undefined) {
      await deps.claims.mark(marked, false);
      throw inUse(bound);
    }
    const { kind, value, owner } = marked.value;
    // Before the release, so that no release lacks its entry. An account that is bound at this time leaves a surplus
    // entry.
    await recordForService([{ type: 'ClaimReleased', actor, claim: `${kind}/${value}`, before: owner }], deps);
    if (!(await deps.claims.release(marked))) throw new LostRace();
    return marked.value;
  });
}

async function requireClaim({ kind, value }: ClaimName, { claims }: VaultWorkDeps) {
  const claim = await claims.find(kind, fold(value));
  if (claim !== undefined) return claim;
  throw new Refusal('NotFound', 'No owner holds this claim.', { target: 'value' });
}

interface BoundThrough {
  readonly count: number;
  readonly first: string;
}

function inUse({ count, first }: BoundThrough): Refusal {
  const many = count < maxCounted ? String(count) : `${maxCounted} or more`;
  const message = `Accounts are bound through it, or were being bound in the last hour: ${many}, '${first}' among them. Delete them, or change their keys, first.`;
  return new Refusal('Conflict', message, { target: 'value', info: { accounts: count, account: first } });
}

/** The count stops here, because the number only shows whether there are few or many. */
const maxCounted = 100;

async function boundThrough(claim: ClaimName, owner: string, deps: VaultWorkDeps): Promise<BoundThrough | undefined> {
  const names = new Set<string>();
  for (const found of [ofBindings(claim, deps), ofOverview(claim, owner, deps)]) {
    for await (const name of found) {
      names.add(name);
      if (names.size >= maxCounted) break;
    }
  }
  const [first] = names;
  return first === undefined ? undefined : { count: names.size, first };
}

/** By the rows of vaults and bindings, which also have the accounts that are being bound. */
async function* ofBindings(claim: ClaimName, deps: VaultWorkDeps): AsyncGenerator<string> {
  for await (const vault of vaultsOf(claim, deps)) {
    for (const id of await deps.vaults.bindings(vault)) {
      const watch = await openWatch(id, deps);
      if (watch === undefined || !isThrough(claimsOf(watch.value.binding, deps.homeTenantId), claim)) continue;
      for await (const row of boundAccounts(id, {}, deps)) if (await mayBeBound(row, id, deps)) yield row.value.name;
    }
  }
}

/** A row of a vault or a binding can be lost: the overview has the owner's accounts too, and their records decide. */
async function* ofOverview(claim: ClaimName, owner: string, deps: VaultWorkDeps): AsyncGenerator<string> {
  const isOf = (binding: Binding) => isThrough(claimsOf(binding, deps.homeTenantId), claim);
  for await (const { name, binding } of deps.ownedAccounts(owner)) {
    if (binding !== undefined && !isOf(binding)) continue;
    const stored = await readIfWhole(name, deps);
    if (stored === 'damaged') yield name;
    else if (stored?.value.lifecycle === 'active') {
      const { encryption } = stored.value;
      if (encryption.type === 'CustomerKey' && isOf(encryption.binding)) yield name;
    }
  }
}

async function* vaultsOf({ kind, value }: ClaimName, { vaults }: VaultWorkDeps): AsyncGenerator<string> {
  if (kind === 'vault') yield vaultIdOf(value);
  else yield* vaults.list();
}

const isThrough = (claims: readonly [ClaimKind, string][], { kind, value }: ClaimName): boolean =>
  claims.some(([k, v]) => k === kind && fold(v) === fold(value));

/**
 * The record names the binding, or the record is unknown: a row is stored before its record, and a record can be
 * damaged.
 */
async function mayBeBound(row: BoundRow, bindingId: string, deps: VaultWorkDeps): Promise<boolean> {
  if (row.ageMs < staleRowMs) return true;
  const stored = await readIfWhole(row.value.name, deps);
  if (stored === 'damaged') return true;
  if (stored?.value.lifecycle !== 'active' || stored.value.instanceId !== row.value.instanceId) return false;
  const { encryption } = stored.value;
  return encryption.type === 'CustomerKey' && encryption.binding.id === bindingId;
}
