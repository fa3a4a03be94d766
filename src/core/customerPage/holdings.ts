/** The facts of a forecast (whatIf.ts): the key that it is about, and the accounts under the owner's keys. */

import pLimit from 'p-limit';
import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import type { KeyIdentifier } from '../customerKey/keyIdentifier.ts';
import type { OverviewDeps } from '../overview/deps.ts';
import type { IndexedKey } from '../overview/indexRows.ts';
import { isLongNotLatest, notLatestSince } from '../rotation/latestVersion.ts';
import { accountOfRow, readsAtOnce } from '../rotation/usage.ts';
import { boundAccounts } from '../watch/boundAccounts.ts';
import type { Holding, KeyInQuestion } from './whatIf.ts';

/** Each account costs a read of its record. */
const maxHoldings = 1000;

/** @throws Refusal NotFound | InvalidRequestContent */
export function keyInQuestion(
  key: KeyIdentifier,
  needsVersion: boolean,
  keys: readonly IndexedKey[],
  { clock, policy }: Pick<OverviewDeps, 'clock' | 'policy'>,
): KeyInQuestion {
  const target = 'keyIdentifier';
  const found = keys.find(({ watch }) => watch.binding.keyName === key.keyName);
  if (found === undefined)
    throw new Refusal('NotFound', `No account of yours uses the key ${key.keyName} in ${key.vaultHost}.`, { target });
  const { watch } = found;
  const { version } = key;
  if (needsVersion && version === undefined) {
    const inUse = Object.keys(watch.versions).toSorted().join(', ');
    throw new Refusal('InvalidRequestContent', `Add /<version> to the key identifier. In use: ${inUse}.`, { target });
  }
  const isUnused = version !== undefined && watch.versions[version] === undefined;
  const isOld = version !== undefined && isLongNotLatest(notLatestSince(watch, version), clock.now(), policy);
  return {
    binding: watch.binding,
    ...defined({ calledAs: watch.calledAs }),
    ...(version === undefined || !needsVersion ? {} : { version }),
    ...defined({ latestVersion: watch.latest?.version }),
    isSafeToDisable: isUnused && isOld,
  };
}

/**
 * Accounts whose records name the keys: rows are hints. `isComplete`: false when there are more than `maxHoldings`.
 */
export async function holdingsOf(
  keys: readonly IndexedKey[],
  deps: OverviewDeps,
): Promise<{ readonly holdings: readonly Holding[]; readonly isComplete: boolean }> {
  const limit = pLimit(readsAtOnce);
  const reads: Promise<Holding | undefined>[] = [];
  let isComplete = true;
  for (const { watch } of keys) {
    const { id, keyName } = watch.binding;
    for await (const row of boundAccounts(id, {}, deps)) {
      isComplete = reads.length < maxHoldings;
      if (!isComplete) break;
      reads.push(
        limit(async () => {
          const account = await accountOfRow(row, id, deps);
          if (account === undefined) return undefined;
          if (account === 'damaged')
            return { account: row.value.name, keyName, version: row.value.version, isPinned: !row.value.follows };
          const { name, pendingDeletion, leaseSeconds } = account.stored.value;
          if (pendingDeletion !== undefined) return undefined;
          const { version, follows } = account.encryption;
          return {
            account: name,
            keyName,
            version,
            isPinned: !follows,
            ...defined({ leaseSeconds }),
          };
        }),
      );
    }
    if (!isComplete) break;
  }
  const found = (await Promise.all(reads)).filter((one) => one !== undefined);
  return { holdings: found.toSorted((a, b) => (a.account < b.account ? -1 : 1)), isComplete };
}
