/**
 * Which version of a key an account is on, where that decides its state: versions in use differ in status. The bound
 * rows of a version are in the order of names, as the accounts of a key are in the index, so that one call is about
 * many accounts.
 */
import type { CallBudget } from './budget.ts';
import type { OverviewDeps } from './deps.ts';
import { type IndexedAccount, type IndexedKey, isMixed } from './indexRows.ts';

const rowsPerCall = 1000;

interface Known {
  /** Versions by name, of accounts that are not on the best version. */
  readonly versions: ReadonlyMap<string, string>;
  /** The last name that the rows are complete for. Absent: they are complete. */
  readonly upTo?: string;
}

/** For one page. Undefined: the worst verdict of the key counts. `noCallLeft`: the page ends before the account. */
export function versionReader(budget: CallBudget, { bindings }: Pick<OverviewDeps, 'bindings'>) {
  let current: (Known & { readonly bindingId: string }) | undefined;

  async function read(bindingId: string, versions: readonly string[], name: string): Promise<Known> {
    const pages = await Promise.all(
      versions.map(async (version) => {
        const from = `bound:${version}:${name}`;
        return {
          version,
          page: await budget.spend(bindings.accounts(bindingId, { version, limit: rowsPerCall, from })),
        };
      }),
    );
    const found = new Map(
      pages.flatMap(({ version, page }) => page.rows.map(({ value }) => [value.name, version] as const)),
    );
    const ends = pages.flatMap(({ page }) => (page.next === undefined ? [] : (page.rows.at(-1)?.value.name ?? [])));
    return { versions: found, ...(ends.length === 0 ? {} : { upTo: ends.toSorted()[0] as string }) };
  }

  return async ({ name }: IndexedAccount, key: IndexedKey | undefined): Promise<string | undefined> => {
    if (key === undefined || !isMixed(key.watch)) return undefined;
    const { id } = key.watch.binding;
    const [best, others] = bestAndOthers(key);
    const isRead = current?.bindingId === id && (current.upTo === undefined || name <= current.upTo);
    if (!isRead) {
      if (budget.left === 0) return 'noCallLeft';
      // The worst verdict is reported for all accounts of a key whose versions would cost more calls than a page has.
      if (others.length > budget.left) return undefined;
      current = { bindingId: id, ...(await read(id, others, name)) };
    }
    return current?.versions.get(name) ?? best;
  };
}

const fromBest = ['Accessible', 'Unreachable', 'Suspect', 'Inaccessible'] as const;

/** One version of the best status, and those of another status. */
function bestAndOthers({ watch }: IndexedKey): readonly [string, readonly string[]] {
  const versions = Object.entries(watch.versions);
  const best = versions.toSorted(([, a], [, b]) => fromBest.indexOf(a.status) - fromBest.indexOf(b.status))[0];
  const others = versions.filter(([, { status }]) => status !== best?.[1].status).map(([version]) => version);
  return [best?.[0] ?? '', others];
}
