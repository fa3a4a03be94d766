import { describe, expect, it } from 'vitest';
import { type KeyViolation, violationsOf } from '../../src/core/customerKey/keyRequirements.ts';
import type { KeyDescription } from '../../src/core/customerKey/ports.ts';
import { start, version1 } from '../builders.ts';

const good: KeyDescription = {
  version: version1,
  keyType: 'RSA',
  bits: 3072,
  enabled: true,
  operations: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
  recoveryLevel: 'CustomizedRecoverable',
  region: 'westeurope',
  publicKey: { n: new Uint8Array(384), e: Uint8Array.of(1, 0, 1) },
};

const account = { location: 'West Europe' };
const found = (changes: Partial<KeyDescription>) => violationsOf({ ...good, ...changes }, account, start);
const { region: _region, ...withoutRegion } = good;

describe('the rules for a customer key', () => {
  it.each<[string, Partial<KeyDescription>, KeyViolation[]]>([
    ['RSA 2048', { bits: 2048 }, []],
    ['RSA 3072', {}, []],
    ['RSA 4096', { bits: 4096 }, []],
    ['RSA in an HSM', { keyType: 'RSA-HSM' }, []],
    ['RSA 1024', { bits: 1024 }, ['KeySizeUnsupported']],
    ['RSA 2047', { bits: 2047 }, ['KeySizeUnsupported']],
    ['RSA 8192', { bits: 8192 }, ['KeySizeUnsupported']],
    ['an elliptic curve', { keyType: 'EC', bits: 0, operations: ['sign', 'verify'] }, ['KeyTypeUnsupported']],
    ['a symmetric key', { keyType: 'oct-HSM', bits: 0, operations: ['wrapKey', 'unwrapKey'] }, ['KeyTypeUnsupported']],
    ['a type in another case', { keyType: 'rsa' }, ['KeyTypeUnsupported']],
    ['a disabled key', { enabled: false }, ['KeyDisabled']],
    ['a key that begins now', { notBefore: start }, []],
    ['a key that begins in a moment', { notBefore: start + 1 }, ['KeyNotYetValid']],
    ['a key that expires in a moment', { expiresOn: start + 1 }, []],
    ['a key that expires now', { expiresOn: start }, ['KeyExpired']],
    ['a key that expired in 1970', { expiresOn: 0 }, ['KeyExpired']],
    ['only the operations needed', { operations: ['unwrapKey', 'wrapKey'] }, []],
    ['no unwrapKey', { operations: ['wrapKey', 'encrypt', 'decrypt'] }, ['KeyOperationNotAllowed']],
    ['no wrapKey', { operations: ['unwrapKey'] }, ['KeyOperationNotAllowed']],
    ['no operations', { operations: [] }, ['KeyOperationNotAllowed']],
    ['the region in another form', { region: 'WEST EUROPE' }, []],
    ['another region', { region: 'northeurope' }, ['RegionMismatch']],
  ])('the rules for a customer key: %s: %j', (_, changes, expected) => {
    expect(found(changes)).toEqual(expected);
  });

  // Key Vault docs, "recoveryLevel": purge protection is on exactly when the level does not contain Purgeable.
  it.each<[string, KeyViolation[]]>([
    ['Purgeable', ['SoftDeleteMissing']],
    ['Recoverable+Purgeable', ['PurgeProtectionMissing']],
    ['CustomizedRecoverable+Purgeable', ['PurgeProtectionMissing']],
    ['Recoverable', []],
    ['Recoverable+ProtectedSubscription', []],
    ['CustomizedRecoverable', []],
    ['CustomizedRecoverable+ProtectedSubscription', []],
  ])('a key with the recovery level %s: %j', (recoveryLevel, expected) => {
    expect(found({ recoveryLevel })).toEqual(expected);
  });

  it('a key whose region is unknown is accepted', () => {
    expect(violationsOf(withoutRegion, account, start)).toEqual([]);
  });

  it('all violated rules of a key are reported at once, in the order in which a person would fix them', () => {
    const worst = { bits: 1024, enabled: false, notBefore: start + 1, expiresOn: start, operations: [] };
    expect(found({ ...worst, recoveryLevel: 'Purgeable', region: 'northeurope' })).toEqual([
      'KeySizeUnsupported',
      'KeyDisabled',
      'KeyNotYetValid',
      'KeyExpired',
      'KeyOperationNotAllowed',
      'SoftDeleteMissing',
      'RegionMismatch',
    ]);
  });
});
