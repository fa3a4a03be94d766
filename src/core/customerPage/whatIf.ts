/**
 * What would happen if the customer changed a key or its vault: which accounts stop, by when, and what to do first.
 * Pure, with the rules of the watch: the cause that a check would find, whether it counts as a denial (policy.ts), and
 * the published bounds.
 */

import { leasePolicyOf } from '../accounts/account.ts';
import { type Cause, classOf, remedyOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { disableKey, rotateKey } from '../base/keyCommands.ts';
import { isDenying, type Policy } from '../base/policy.ts';
import type { Binding } from '../customerKey/binding.ts';
import type { Principal } from '../customerKey/ports.ts';
import { blockBoundMs, releaseBoundMs } from '../watch/blockBound.ts';

export const acts = ['disableVersion', 'deleteKey', 'removeRole', 'closeFirewall', 'letExpire', 'deleteVault'] as const;
export type Act = (typeof acts)[number];

/** The result of the checks after each act. */
const causes = {
  disableVersion: 'KeyDisabled',
  deleteKey: 'KeyNotFound',
  removeRole: 'KeyPermissionDenied',
  closeFirewall: 'VaultFirewallDenied',
  letExpire: 'KeyExpired',
  deleteVault: 'VaultNotFound',
} as const satisfies Record<Act, Cause>;

export const needsVersion = (act: Act): boolean => act === 'disableVersion' || act === 'letExpire';
const ofVault: ReadonlySet<Act> = new Set(['closeFirewall', 'deleteVault']);

/** An account under a key of the vault. */
export interface Holding {
  readonly account: string;
  readonly keyName: string;
  /** The version that wraps the account key. */
  readonly version: string;
  readonly isPinned: boolean;
  readonly leaseSeconds?: number;
}

/** The key that the act is about. */
export interface KeyInQuestion {
  readonly binding: Binding;
  readonly calledAs?: Principal;
  /** Required for an act on one version. */
  readonly version?: string;
  readonly latestVersion?: string;
  /** The version wraps no account key, and was replaced long enough ago. */
  readonly isSafeToDisable: boolean;
}

/**
 * `blocked`: every call but reading, listing and deleting is refused. `unavailable`: calls that need the key answer
 * 503. `none`: no account stops.
 */
export type Effect = 'blocked' | 'unavailable' | 'none';

export interface Forecast {
  readonly act: Act;
  readonly cause: Cause;
  readonly effect: Effect;
  /** That stop. */
  readonly accounts: readonly Holding[];
  /** From the vault's first refusal. Absent: no account stops. */
  readonly withinSeconds?: number;
  /** No process and no client holds a usable key after this time. */
  readonly keyReleasedWithinSeconds?: number;
  /** What to do before. */
  readonly first: readonly string[];
  /** How to undo it. */
  readonly undo?: string;
}

/** `holdings`: every account under the customer's keys in the vault. */
export function whatIf(act: Act, key: KeyInQuestion, holdings: readonly Holding[], policy: Policy): Forecast {
  const cause = causes[act];
  const about = holdings.filter((one) => isAbout(act, key, one));
  const effect = about.length === 0 ? 'none' : effectOf(cause, policy);
  const accounts = effect === 'none' ? [] : about;
  return {
    act,
    cause,
    effect,
    accounts,
    ...(effect === 'none' ? {} : timesOf(cause, effect, accounts, policy)),
    first: adviceOf(act, key, about, policy),
    ...(effect === 'none' ? {} : { undo: undoOf(cause, key) }),
  };
}

const isAbout = (act: Act, { binding, version }: KeyInQuestion, one: Holding): boolean =>
  ofVault.has(act) || (one.keyName === binding.keyName && (!needsVersion(act) || one.version === version));

function effectOf(cause: Cause, policy: Policy): Effect {
  if (isDenying(cause, policy)) return 'blocked';
  return classOf(cause) === 'unusableKey' ? 'none' : 'unavailable';
}

function timesOf(cause: Cause, effect: Effect, accounts: readonly Holding[], policy: Policy) {
  const policies = accounts.map((one) => leasePolicyOf(one, policy));
  const releasedMs = Math.max(...policies.map(releaseBoundMs));
  const graceMs = Math.max(...policies.map(({ leaseGraceSeconds }) => leaseGraceSeconds * 1000));
  const keyReleasedMs = effect === 'unavailable' ? releasedMs + graceMs : releasedMs;
  const withinMs = isDenying(cause, policy) ? blockBoundMs(cause, policy) : keyReleasedMs;
  return { withinSeconds: Math.round(withinMs / 1000), keyReleasedWithinSeconds: Math.round(keyReleasedMs / 1000) };
}

function undoOf(cause: Cause, { binding, calledAs, version }: KeyInQuestion): string {
  return remedyOf(cause, { ...binding, ...defined({ version, principalId: calledAs?.principalId }) });
}

function adviceOf(act: Act, key: KeyInQuestion, about: readonly Holding[], policy: Policy): string[] {
  switch (act) {
    case 'disableVersion':
      return beforeDisabling(key, about);
    case 'letExpire':
      return [`Create a new version before the expiry date: ${rotateKey(key.binding)}`, ...pinnedAdvice(about)];
    case 'deleteKey':
    case 'deleteVault':
      return about.length === 0
        ? []
        : [disableInstead('Disabling the key is faster, and easier to undo', key, about, policy)];
    case 'removeRole':
      return about.length === 0
        ? []
        : [
            disableInstead(
              'Azure can take 10 minutes to apply a removed role. Disabling the key acts at once',
              key,
              about,
              policy,
            ),
          ];
    case 'closeFirewall':
      return isDenying(causes[act], policy) || about.length === 0
        ? []
        : [
            disableInstead(
              'A firewall counts as an outage, and revokes nothing. To end the access, disable the key',
              key,
              about,
              policy,
            ),
          ];
  }
}

function beforeDisabling(key: KeyInQuestion, about: readonly Holding[]): string[] {
  const { binding, version, latestVersion, isSafeToDisable } = key;
  if (about.length === 0)
    return isSafeToDisable
      ? []
      : ['Wait until this page says that the version is safe to disable: it is the newest, or was a short time ago.'];
  const following = about.filter(({ isPinned }) => !isPinned).length;
  const move = version === latestVersion ? `Create a new version: ${rotateKey(binding)}` : undefined;
  return [
    ...(following === 0 || move === undefined ? [] : [move]),
    ...(following === 0
      ? []
      : [
          `Wait until Keyward has changed ${countOf(following)} to the newest version, and this page says that the old one is safe to disable.`,
        ]),
    ...pinnedAdvice(about),
  ];
}

function pinnedAdvice(about: readonly Holding[]): string[] {
  const pinned = about.filter(({ isPinned }) => isPinned).length;
  if (pinned === 0) return [];
  return [
    `Ask the operator of this service to set ${countOf(pinned)} to another version: a pinned account stays on its version.`,
  ];
}

/** Each version in use of the key, because the command changes one version. */
function disableInstead(why: string, { binding }: KeyInQuestion, about: readonly Holding[], policy: Policy): string {
  const versions = new Set(about.filter(({ keyName }) => keyName === binding.keyName).map(({ version }) => version));
  const commands = [...versions].toSorted().map((version) => disableKey(binding, version));
  const within = Math.round(blockBoundMs('KeyDisabled', policy) / 1000);
  return `${why}, within ${within} s: ${commands.join(' && ') || disableKey(binding)}`;
}

const countOf = (count: number): string => `${count} account${count === 1 ? '' : 's'}`;
