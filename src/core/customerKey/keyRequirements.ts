/**
 * The requirements on a customer key before it may wrap anything. The rules are those of AMS: a pure table over the
 * vault's description of the key.
 */
import type { UnusableKeyCause } from '../base/causes.ts';
import { foldRegion } from '../base/names.ts';
import { type EpochMs, iso } from '../base/time.ts';
import type { KeyDescription } from './ports.ts';

export type KeyViolation = UnusableKeyCause | 'KeyDisabled' | 'KeyOperationNotAllowed';

export const ruleNames = [
  ...(['keyType', 'keySize', 'keyEnabled', 'keyActivation', 'keyExpiry', 'keyOperations'] as const),
  ...(['softDelete', 'purgeProtection', 'region'] as const),
] as const;
export type RuleName = (typeof ruleNames)[number];

/** The result of one rule. `unknown`: the rule does not apply to this key, or the vault did not return the fact. */
export interface RuleFinding {
  readonly result: 'pass' | 'fail' | 'warn' | 'unknown';
  /** Present exactly on `fail` and `warn`. */
  readonly cause?: KeyViolation | 'KeyNearExpiry';
  /** Present when the meaning of the cause is not specific enough. */
  readonly message?: string;
  /** The fact that the vault returned, as readable text. */
  readonly seen: string;
}

/** What a key is compared with. */
export interface RuleMeasure {
  /** The region of the account. Empty: the region is not compared. */
  readonly location: string;
  readonly now: EpochMs;
  /** How many days before its expiry a key version gets a warning. */
  readonly nearExpiryDays: number;
}

const dayMs = 86_400_000;
const supportedBits = new Set([2048, 3072, 4096]);
const neededOperations = ['wrapKey', 'unwrapKey'] as const;
const isRsa = ({ keyType }: KeyDescription): boolean => keyType === 'RSA' || keyType === 'RSA-HSM';

const passIf = (isGood: boolean, cause: KeyViolation, seen: string): RuleFinding =>
  isGood ? { result: 'pass', seen } : { result: 'fail', cause, seen };
const says = (seen: string): RuleFinding => ({ result: 'unknown', seen });

/** In the order in which a person would fix them. */
const rules: Readonly<Record<RuleName, (key: KeyDescription, measure: RuleMeasure) => RuleFinding>> = {
  keyType: (key) => passIf(isRsa(key), 'KeyTypeUnsupported', key.keyType),
  keySize: (key) =>
    isRsa(key) ? passIf(supportedBits.has(key.bits), 'KeySizeUnsupported', `${key.bits} bits`) : says('not an RSA key'),
  keyEnabled: ({ enabled }) => passIf(enabled, 'KeyDisabled', enabled ? 'enabled' : 'disabled'),
  keyActivation: ({ notBefore }, { now }) =>
    passIf(notBefore === undefined || notBefore <= now, 'KeyNotYetValid', dated('active from', notBefore)),
  keyExpiry({ expiresOn }, { now, nearExpiryDays }) {
    const cause = expiryOf(expiresOn, now, nearExpiryDays);
    const seen = dated('expires', expiresOn);
    if (cause === 'KeyNearExpiry') return { result: 'warn', cause, seen };
    return passIf(cause === undefined, 'KeyExpired', seen);
  },
  keyOperations(key) {
    const seen = key.operations.join(' ') || 'none';
    if (!isRsa(key)) return says(seen);
    const permitsBoth = neededOperations.every((operation) => key.operations.includes(operation));
    return passIf(permitsBoth, 'KeyOperationNotAllowed', seen);
  },
  // Key Vault docs, "recoveryLevel": purge protection is on exactly when the level does not contain Purgeable.
  softDelete: ({ recoveryLevel }) => passIf(recoveryLevel !== 'Purgeable', 'SoftDeleteMissing', recoveryLevel),
  purgeProtection({ recoveryLevel }) {
    if (recoveryLevel === 'Purgeable') return says('no soft delete');
    return passIf(!recoveryLevel.includes('Purgeable'), 'PurgeProtectionMissing', recoveryLevel);
  },
  // The documentation does not guarantee the header that names the region, so a missing one means unknown and not
  // wrong.
  region({ region }, { location }) {
    if (region === undefined) return says('the vault names no region');
    if (location === '') return says(region);
    if (foldRegion(region) === foldRegion(location)) return { result: 'pass', seen: region };
    const message = `The vault is in the region ${foldRegion(region)}, and the account in ${foldRegion(location)}.`;
    return { result: 'fail', cause: 'RegionMismatch', message, seen: region };
  },
};

const dated = (what: string, at: EpochMs | undefined): string => (at === undefined ? 'no date' : `${what} ${iso(at)}`);

/** The state of a version by its expiry date; undefined while it is far away. */
export function expiryOf(expiresOn: EpochMs | undefined, now: EpochMs, nearDays: number) {
  if (expiresOn === undefined) return undefined;
  if (expiresOn <= now) return 'KeyExpired';
  return expiresOn - now <= nearDays * dayMs ? 'KeyNearExpiry' : undefined;
}

export const findingOf = (rule: RuleName, key: KeyDescription, measure: RuleMeasure): RuleFinding =>
  rules[rule](key, measure);

/** Every rule that the key violates, in the order of the rules. Empty: the key may be used. */
export function violationsOf(key: KeyDescription, account: { location: string }, now: EpochMs): KeyViolation[] {
  const measure = { location: account.location, now, nearExpiryDays: 0 };
  return ruleNames.flatMap((rule) => {
    const { cause } = findingOf(rule, key, measure);
    return cause === undefined || cause === 'KeyNearExpiry' ? [] : [cause];
  });
}

/**
 * Without the region: it was compared with the account when the key was set, and only the key itself can have changed
 * since.
 */
export const brokenRules = (key: KeyDescription, now: EpochMs) =>
  violationsOf(key, { location: key.region ?? '' }, now);
