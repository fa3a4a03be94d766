/**
 * The keys of one owner, and what Keyward would use for a new one. A key of another owner is as unknown as a missing
 * one. The caller first waits for what this process still writes to the overview.
 */
import pLimit from 'p-limit';
import { Refusal } from '../base/errors.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import type { KeyIdentifier } from '../customerKey/keyIdentifier.ts';
import { checkRegion } from '../customerKey/regions.ts';
import type { OverviewDeps } from '../overview/deps.ts';
import type { IndexedKey } from '../overview/indexRows.ts';
import { readsAtOnce } from '../rotation/usage.ts';
import type { Watch } from '../watch/watch.ts';

const rowsPerCall = 1000;

/**
 * In one vault, for any number of keys elsewhere: the rows of the vault name its keys, and the index has the owner of
 * each.
 */
export async function ownKeysIn(
  vaultHost: string,
  owner: string,
  { vaults, overviewIndex }: Pick<OverviewDeps, 'vaults' | 'overviewIndex'>,
): Promise<IndexedKey[]> {
  const limit = pLimit(readsAtOnce);
  const ids = await vaults.bindings(vaultIdOf(vaultHost));
  const keys = await Promise.all(ids.map((id) => limit(() => overviewIndex.key(owner, id))));
  return keys.filter((key) => key !== undefined && key.watch.binding.vaultHost === vaultHost) as IndexedKey[];
}

type Located = Pick<KeyIdentifier, 'vaultHost' | 'keyName'>;

/**
 * The identity through which Keyward uses the key, or would use it: that of the key, or else the one that the operator
 * named in the link, or else that of the owner's other keys, or else Keyward's own.
 */
export async function identityFor(
  { vaultHost, keyName }: Located,
  { owner, identity }: { readonly owner: string; readonly identity?: KeyVaultIdentity },
  deps: Pick<OverviewDeps, 'vaults' | 'overviewIndex'>,
): Promise<Pick<Watch, 'calledAs'> & { readonly identity: KeyVaultIdentity }> {
  const inVault = await ownKeysIn(vaultHost, owner, deps);
  const same = inVault.find(({ watch }) => watch.binding.keyName === keyName);
  if (same === undefined && identity !== undefined) return { identity };
  const other = same ?? inVault[0] ?? (await firstKeyOf(owner, deps));
  if (other === undefined) return { identity: { useSystemAssignedIdentity: true } };
  return { ...other.watch, identity: other.watch.binding.identity };
}

async function firstKeyOf(owner: string, { overviewIndex }: Pick<OverviewDeps, 'overviewIndex'>) {
  const { rows } = await overviewIndex.ofOwner({ owner }, 1, 'keys');
  return rows[0]?.kind === 'key' ? rows[0].key : undefined;
}

/** @throws Refusal InvalidParameter when the accounts of the owner do not determine the region. */
export async function regionFor(
  location: string | undefined,
  owner: string,
  { overviewIndex, cloud }: Pick<OverviewDeps, 'overviewIndex' | 'cloud'>,
): Promise<string> {
  if (location !== undefined) {
    checkRegion(location, cloud);
    return location;
  }
  const { rows } = await overviewIndex.ofOwner({ owner }, rowsPerCall);
  const regions = new Set(rows.flatMap((row) => (row.kind === 'account' ? row.account.location : [])));
  const [region] = regions;
  if (region !== undefined && regions.size === 1) return region;
  const why = regions.size === 0 ? 'has no account yet' : `has accounts in ${[...regions].toSorted().join(', ')}`;
  throw new Refusal('InvalidParameter', `Name the region of the account in location: ${owner} ${why}.`, {
    target: 'location',
  });
}
