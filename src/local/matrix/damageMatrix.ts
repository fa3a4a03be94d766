/**
 * Revocations that damaged rows could hide, in virtual time: an account is missed that is not blocked within the
 * published bound.
 */
import { stateOf } from '../../core/accounts/account.ts';
import type { Lab } from '../lab/lab.ts';
import { aTarget, type Damage, damage, damages, type Row, rowKinds, sharedRows } from './damage.ts';
import { revocations } from './revocations.ts';

export interface Cell {
  /** Rows that are damaged together. */
  readonly kinds: readonly string[];
  readonly damage: string;
  readonly revocation: string;
}

const names = (table: object): string[] => Object.keys(table);

/** Every kind of row with every damage, under each revocation. */
export function allCells(): Cell[] {
  const pairs = names(rowKinds).flatMap((kind) => names(damages).map((how) => ({ kinds: [kind], damage: how })));
  return pairs.flatMap((pair) => names(revocations).map((revocation) => ({ ...pair, revocation })));
}

/**
 * The same in fewer vaults: rows that looks do not read are damaged together, and each damage comes under the next
 * revocation.
 */
export function fewCells(): Cell[] {
  const looked = ['account record', 'watch', 'bound row', 'binding of a vault'];
  const work = ['worker', 'waiting message', 'budget'];
  const others = names(rowKinds).filter((kind) => !looked.includes(kind) && !work.includes(kind));
  const groups = [...looked.map((kind) => [kind]), work, others];
  const ways = names(revocations);
  const pairs = groups.flatMap((kinds) => names(damages).map((how) => ({ kinds, damage: how })));
  return pairs.map((pair, n) => ({ ...pair, revocation: ways[n % ways.length] ?? '' }));
}

const sweepMs = 60_000;
let batches = 0;

/** The accounts that are served after their bound, each with what was done. */
export async function missedWithDamage(lab: Lab, cells: readonly Cell[]): Promise<string[]> {
  await lab.turnPage();
  const batch = batches++;
  const targets = [];
  for (const [n, cell] of cells.entries()) targets.push({ cell, target: await aTarget(lab, `dmg-${batch}-${n}`) });
  // Workers have been there, and have left their rows.
  await lab.advance(sweepMs + 1_000);
  const checks = [];
  for (const { cell, target } of targets) {
    const kinds = cell.kinds.map((kind) => known(rowKinds, kind));
    const { revoke, withinMs } = known(revocations, cell.revocation);
    for (const { row } of kinds) await damage(lab, row(target), known(damages, cell.damage));
    await revoke(lab, target.vault);
    const isLost = kinds.some(({ isOwn }) => isOwn);
    const accounts = isLost ? [`${target.vault}-b`] : [`${target.vault}-a`, `${target.vault}-b`];
    const what = `${cell.kinds.join(', ')} ${cell.damage}, then ${cell.revocation}`;
    checks.push({ what, accounts, withinMs });
  }
  return missedIn(lab, checks);
}

/** The same with the rows that the whole service shares, all damaged at once, and restored afterwards. */
export async function missedWithSharedDamage(
  lab: Lab,
  how: string,
  ways: readonly string[] = names(revocations),
): Promise<string[]> {
  await lab.turnPage();
  const batch = batches++;
  const checks = [];
  const targets = await Promise.all(ways.map((_, n) => aTarget(lab, `shared-${batch}-${n}`)));
  await lab.advance(sweepMs + 1_000);
  const restore = await Promise.all(Object.values(sharedRows).map((row) => damagedFor(lab, row, known(damages, how))));
  for (const [n, revocation] of ways.entries()) {
    const { vault = '' } = targets[n] ?? {};
    const { revoke, withinMs } = known(revocations, revocation);
    await revoke(lab, vault);
    checks.push({ what: `shared rows ${how}, then ${revocation}`, accounts: [`${vault}-a`, `${vault}-b`], withinMs });
  }
  const missed = await missedIn(lab, checks);
  for (const one of restore) await one();
  return missed;
}

async function damagedFor(lab: Lab, row: Row, how: Damage): Promise<() => Promise<unknown>> {
  const client = lab.table(row.table);
  const before = await client.getEntity(row.partitionKey, row.rowKey).catch(() => undefined);
  await damage(lab, row, how);
  const { etag: _etag, timestamp: _at, ...entity } = before ?? { etag: '' };
  const properties = Object.fromEntries(Object.entries(entity).filter(([name]) => !name.includes('odata')));
  return async () => {
    await client.deleteEntity(row.partitionKey, `${row.rowKey}~`).catch(() => undefined);
    if (before === undefined) await client.deleteEntity(row.partitionKey, row.rowKey).catch(() => undefined);
    else await client.upsertEntity({ ...properties, partitionKey: row.partitionKey, rowKey: row.rowKey }, 'Replace');
  };
}

interface Check {
  readonly what: string;
  readonly accounts: readonly string[];
  readonly withinMs: number;
}

async function missedIn(lab: Lab, checks: readonly Check[]): Promise<string[]> {
  const missed: string[] = [];
  let passed = 0;
  for (const withinMs of [...new Set(checks.map((check) => check.withinMs))].toSorted((a, b) => a - b)) {
    await lab.advance(withinMs - passed);
    passed = withinMs;
    for (const check of checks.filter((one) => one.withinMs === withinMs))
      for (const account of check.accounts)
        if (!(await isBlocked(lab, account))) missed.push(`${account}: ${check.what}`);
  }
  return missed;
}

async function isBlocked(lab: Lab, account: string): Promise<boolean> {
  try {
    return stateOf(await lab.view(account)) === 'CustomerKeyInaccessible';
  } catch {
    return false;
  }
}

function known<T>(table: Readonly<Record<string, T>>, name: string): T {
  const found = table[name];
  if (found === undefined) throw new RangeError(`There is no '${name}'.`);
  return found;
}
