/**
 * The facts about a key's newest version, and about the expiry of versions in use. Pure. A superseded version keeps the
 * time of its replacement. It is safe to disable only some time after, because a caller may have read it as the latest
 * just before and be wrapping with it.
 */
import { isDenied } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import { expiryOf } from '../customerKey/keyRequirements.ts';
import type { KeyDescription } from '../customerKey/ports.ts';
import type { Expiry, Watch } from './watch.ts';

/** A batch of the tables holds 100 rows. */
const maxWarningsAtOnce = 60;

/** The number of superseded versions without accounts that a watch remembers. */
const maxSuperseded = 50;

/** The watch with the newest version from the operation that has just proven it. */
export const withProvenNewest = (watch: Watch, newest: KeyDescription, at: EpochMs, policy: Policy): Watch => ({
  ...withExpiry(withNewest(watch, newest, at), newest, at, policy),
  targetVersion: newest.version,
});

const halfAnHourMs = 1_800_000;

/**
 * Since when, and why, Keyward cannot see new versions of a key that it can use: at once when the vault denies the
 * read, and after half an hour without an answer.
 */
export function unreadableNewest({ newestUnread, lastVersionCheckAt }: Watch): Watch['newestUnread'] {
  if (newestUnread === undefined) return undefined;
  const { since, cause } = newestUnread;
  return isDenied(cause) || lastVersionCheckAt - since >= halfAnHourMs ? newestUnread : undefined;
}

/** From now on every other known version is not the latest, unless that was already found earlier. */
export function withNewest(watch: Watch, { version, keyType, bits }: KeyDescription, at: EpochMs): Watch {
  const { latest } = watch;
  if (latest?.version === version) return watch;
  const others = [...Object.keys(watch.versions), ...(latest === undefined ? [] : [latest.version])];
  const left = Object.fromEntries(others.map((one) => [one, at]));
  const { [version]: _newest, ...superseded } = { ...left, ...watch.superseded };
  if (latest !== undefined) superseded[latest.version] = at;
  const newestFirst = Object.entries(superseded).toSorted(([, a], [, b]) => b - a);
  const retained = newestFirst.filter(([one], n) => n < maxSuperseded || watch.versions[one] !== undefined);
  return { ...watch, latest: { version, since: at, keyType, bits }, superseded: Object.fromEntries(retained) };
}

/**
 * The watch with this version's expiry, and with the current warnings of all versions. It drops versions without
 * accounts.
 */
export function withExpiry(watch: Watch, key: KeyDescription, now: EpochMs, policy: Policy): Watch {
  const { expiresOn } = key;
  const read: Expiry = { readAt: now, ...defined({ expiresOn }) };
  let changed = 0;
  const known = Object.entries({ ...watch.expiries, [key.version]: read })
    .filter(([version]) => version === key.version || watch.versions[version] !== undefined)
    .map(([version, expiry]) => {
      const warned = withWarning(expiry, now, policy);
      if (warned.warning !== watch.expiries?.[version]?.warning) changed += 1;
      // Each new warning has an audit entry in the same batch. The remaining ones follow with the next read.
      return [version, changed <= maxWarningsAtOnce ? warned : expiry];
    });
  return { ...watch, expiries: Object.fromEntries(known) };
}

function withWarning({ expiresOn, readAt }: Expiry, now: EpochMs, policy: Policy): Expiry {
  if (expiresOn === undefined) return { readAt };
  const warning = expiryOf(expiresOn, now, policy.keyNearExpiryDays);
  return { readAt, expiresOn, ...defined({ warning }) };
}
