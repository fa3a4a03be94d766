/** The lists of the data plane, in pages of at most 25 items. */
import { deletedListItem, listItem } from './bundles.ts';
import type { Clock } from './clock.ts';
import { Refused } from './errors.ts';
import { deletedKey, liveKey } from './keys.ts';
import type { Key, Vault } from './model.ts';
import { invalidValue } from './refusals.ts';
import type { Route } from './routes.ts';

export function liveItems(vault: Vault, clock: Clock): unknown[] {
  return [...vault.keys.values()].flatMap((key) => {
    const version = liveKey(vault, key.name, clock)?.versions.at(-1);
    return version === undefined ? [] : [listItem(vault, key, version, false)];
  });
}

/** A missing key has no versions, which is no error: azure-sdk-for-net, GetPropertiesOfKeyVersionsNonExisting.json. */
export function versionItems(vault: Vault, key: Key | undefined): unknown[] {
  return key === undefined ? [] : key.versions.map((version) => listItem(vault, key, version, true));
}

export function deletedItems(vault: Vault, clock: Clock): unknown[] {
  return [...vault.keys.values()].flatMap((key) => {
    const version = deletedKey(vault, key.name, clock)?.versions.at(-1);
    return version === undefined ? [] : [deletedListItem(vault, key, version)];
  });
}

const PAGE = 25;

/** One page, with the link to the next. */
export function page(vault: Vault, route: Route, items: unknown[]): unknown {
  const size = Number(route.query.get('maxresults') ?? PAGE);
  if (!Number.isInteger(size) || size < 1 || size > PAGE) throw new Refused(invalidValue());
  const from = Number(route.query.get('$skiptoken') ?? 0) || 0;
  const to = from + size;
  const path = { list: 'keys', listversions: `keys/${route.key}/versions`, listdeleted: 'deletedkeys' };
  const query = new URLSearchParams({
    'api-version': route.query.get('api-version') ?? '',
    $skiptoken: String(to),
    maxresults: String(size),
  });
  const nextLink =
    to < items.length ? `https://${vault.host}/${path[route.operation as keyof typeof path]}?${query}` : null;
  return { value: items.slice(from, to), nextLink };
}
