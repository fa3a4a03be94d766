/** What a customer key must be before it may wrap anything. The rules are AMS's; a pure function over what the vault said. */
import type { UnusableKeyCause } from './causes.ts';
import { foldRegion } from './names.ts';
import type { KeyDescription } from './ports.ts';
import type { EpochMs } from './time.ts';

export type KeyViolation = UnusableKeyCause | 'KeyDisabled' | 'KeyOperationNotAllowed';

const supportedBits = new Set([2048, 3072, 4096]);
const neededOperations = ['wrapKey', 'unwrapKey'] as const;

/** Every rule that the key breaks, in the order in which a person would mend them. Empty: the key may be used. */
export function violationsOf(key: KeyDescription, account: { location: string }, now: EpochMs): KeyViolation[] {
  const found: KeyViolation[] = [];
  const isRsa = key.keyType === 'RSA' || key.keyType === 'RSA-HSM';
  if (!isRsa) found.push('KeyTypeUnsupported');
  else if (!supportedBits.has(key.bits)) found.push('KeySizeUnsupported');
  if (!key.enabled) found.push('KeyDisabled');
  if (key.notBefore !== undefined && now < key.notBefore) found.push('KeyNotYetValid');
  if (key.expiresOn !== undefined && now >= key.expiresOn) found.push('KeyExpired');
  if (isRsa && !neededOperations.every((operation) => key.operations.includes(operation)))
    found.push('KeyOperationNotAllowed');
  // Key Vault docs, "recoveryLevel": purge protection is on exactly when the level does not say Purgeable.
  if (key.recoveryLevel === 'Purgeable') found.push('SoftDeleteMissing');
  else if (key.recoveryLevel.includes('Purgeable')) found.push('PurgeProtectionMissing');
  // The header that names the region is not promised in prose: absent means unknown, not wrong.
  if (key.region !== undefined && foldRegion(key.region) !== foldRegion(account.location)) found.push('RegionMismatch');
  return found;
}
