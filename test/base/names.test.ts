import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../src/core/base/errors.ts';
import { fold, foldRegion, indexKey, isGuid, parseAccountName, parseOwner } from '../../src/core/base/names.ts';
import { bindingOf, type KeyVaultIdentity, vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import { anyText } from '../anyText.ts';

const refusalOf = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    return error instanceof Refusal ? [error.code, error.extras.target] : error;
  }
};

describe('folding', () => {
  it('fold changes no letter outside ASCII into an ASCII letter: the Kelvin sign, the dotted capital I and all others', () => {
    const turned = Array.from({ length: 0x11_0000 - 0x80 }, (_, index) => 0x80 + index)
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => String.fromCodePoint(code))
      .filter((letter) => /[\0-\x7f]/.test(fold(letter)));
    expect(turned).toEqual([]);
  });

  it('fold changes all other letters to lower case', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
        fc.pre(!/[\u212a\u0130]/.test(text));
        expect(fold(text)).toBe(text.toLowerCase());
      }),
    );
  });
});

it.each([
  ['an account name', () => parseAccountName('cont\u200boso'), /a zero-width space \(U\+200B\) at position 5\.$/],
  ['an account name', () => parseAccountName('\u212aontoso'), /the character \(U\+212A\) at position 1\.$/],
  ['an owner', () => parseOwner('contoso\n'), /a line break \(U\+000A\) at position 8, the end\.$/],
])('the refusal of %s says which character it cannot have, because most of them do not show', (_, call, message) => {
  expect(call).toThrow(message);
});

describe('an account name', () => {
  it.each([
    ['abc', 'abc'],
    ['Contoso-Media-1', 'contoso-media-1'],
    ['1ab', '1ab'],
    ['A'.repeat(64), 'a'.repeat(64)],
    ['3F2504E0-4F89-41D3-9A0C-0305E82C3301', '3f2504e0-4f89-41d3-9a0c-0305e82c3301'],
  ])('the account name %s is in the partition %s', (name, folded) => {
    expect(parseAccountName(name)).toBe(folded);
  });

  it.each([
    '',
    'ab',
    'a'.repeat(65),
    '-abc',
    'abc-',
    'a b',
    'a_b',
    'a.b',
    'a/b',
    'a\\b',
    'a#b',
    'a?b',
    'abc\n',
    'äbc',
    'a\u0000c',
    // U+0130 folds to two characters.
    'ab\u0130',
  ])('an account name is never %j', (name) => {
    expect(refusalOf(() => parseAccountName(name))).toEqual(['InvalidParameter', 'accountName']);
  });

  it('INV-9: every text is a valid table key as an account name, or it is refused', () => {
    fc.assert(
      fc.property(anyText(30), (text) => {
        const folded = refusalOf(() => parseAccountName(text));
        if (typeof folded === 'string') expect(folded).toMatch(/^[a-z0-9][a-z0-9-]{1,22}[a-z0-9]$/);
        else expect(folded).toEqual(['InvalidParameter', 'accountName']);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('an owner', () => {
  it.each(['c', 'Contoso', 'ops@contoso.com', 'a_b-c.d', '1'.repeat(128)])(
    'an owner may be %s, and keeps its case',
    (text) => {
      expect(parseOwner(text)).toBe(text);
    },
  );

  it.each(['', '.a', '@a', 'a b', 'a/b', "a'b", 'a\n', 'é', '1'.repeat(129)])('an owner is never %j', (text) => {
    expect(refusalOf(() => parseOwner(text))).toEqual(['InvalidParameter', 'properties.owner']);
  });
});

describe('a GUID', () => {
  it.each([
    ['aaaaaaaa-0000-4000-8000-000000000001', true],
    ['AAAAAAAA-0000-4000-8000-000000000001', false],
    ['{aaaaaaaa-0000-4000-8000-000000000001}', false],
    ['aaaaaaaa000040008000000000000001', false],
    ['aaaaaaaa-0000-4000-8000-000000000001\n', false],
    ['', false],
  ])('as a GUID, %j: %s', (text, expected) => {
    expect(isGuid(text)).toBe(expected);
  });
});

describe('a region', () => {
  it.each(['West Europe', 'westeurope', 'WESTEUROPE', ' West\tEurope '])('the region %j is westeurope', (region) => {
    expect(foldRegion(region)).toBe('westeurope');
  });
});

describe('an index key', () => {
  it('an index key is 128 bits of SHA-256 over the length-prefixed parts', () => {
    const bytes = Buffer.from('00000003' + '616263' + '00000000' + '00000002' + 'c3a9', 'hex');
    const expected = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
    expect(indexKey('abc', '', 'é')).toBe(expected);
  });

  it('an index key differs for different parts, however the text is cut', () => {
    const parts = fc.array(fc.string({ maxLength: 6 }), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(indexKey(...a) === indexKey(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
    expect(indexKey('ab', 'c')).not.toBe(indexKey('a', 'bc'));
  });
});

describe('a binding', () => {
  const tenant = 'aaaaaaaa-0000-4000-8000-000000000001';
  const own: KeyVaultIdentity = { useSystemAssignedIdentity: true };
  const named = (name: string): KeyVaultIdentity => ({
    useSystemAssignedIdentity: false,
    userAssignedIdentity: `/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`,
  });
  const key = (text: string) => parseKeyIdentifier(text, 'public');
  const cmk = 'https://contoso.vault.azure.net/keys/cmk';
  const bound = bindingOf(key(cmk), tenant, own);

  it.each([
    ['the key in another case', bindingOf(key('https://CONTOSO.vault.azure.net/keys/CMK'), tenant, own)],
    ['the tenant in another case', bindingOf(key(cmk), tenant.toUpperCase(), own)],
    ['a pinned version', bindingOf(key(`${cmk}/ee059b2bb5bc48398a53b168c6cdcb10`), tenant, own)],
  ])('a binding is the same with %s', (_, other) => {
    expect(other).toEqual(bound);
  });

  it('a binding is the same for an identity in another case', () => {
    expect(bindingOf(key(cmk), tenant, named('KEYWARD')).id).toBe(bindingOf(key(cmk), tenant, named('keyward')).id);
  });

  const inTenant = (tenantId: string, federatedIdentityClientId: string): KeyVaultIdentity => ({
    useSystemAssignedIdentity: false,
    userAssignedIdentity: '/subscriptions/s/x/a',
    federatedIdentityClientId,
    tenantId,
  });
  const [other, app] = ['bbbbbbbb-0000-4000-8000-000000000002', 'cccccccc-0000-4000-8000-000000000001'];

  it('a binding belongs to the tenant that its identity names, and to the home tenant when it names none', () => {
    expect(bindingOf(key(cmk), tenant, inTenant(other.toUpperCase(), app)).tenantId).toBe(other);
    expect(bound.tenantId).toBe(tenant);
    const shouted = inTenant(other.toUpperCase(), app.toUpperCase());
    expect(bindingOf(key(cmk), tenant, shouted).id).toBe(bindingOf(key(cmk), tenant, inTenant(other, app)).id);
  });

  it('a binding differs for another key, vault, suffix, tenant, identity or application', () => {
    const others = [
      bound,
      bindingOf(key('https://contoso.vault.azure.net/keys/cmk2'), tenant, own),
      bindingOf(key('https://contoso2.vault.azure.net/keys/cmk'), tenant, own),
      bindingOf(key('https://contoso.managedhsm.azure.net/keys/cmk'), tenant, own),
      bindingOf(key(cmk), 'aaaaaaaa-0000-4000-8000-000000000002', own),
      bindingOf(key(cmk), tenant, named('a')),
      bindingOf(key(cmk), tenant, named('b')),
      bindingOf(key(cmk), tenant, inTenant(other, app)),
      bindingOf(key(cmk), tenant, inTenant(tenant, app)),
      bindingOf(key(cmk), tenant, inTenant(other, 'cccccccc-0000-4000-8000-000000000002')),
    ];
    expect(new Set(others.map((binding) => binding.id)).size).toBe(others.length);
    for (const { id } of others) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });

  it('a binding belongs to the partition of its vault, which ignores case', () => {
    expect(vaultIdOf('CONTOSO.vault.azure.net')).toBe(vaultIdOf('contoso.vault.azure.net'));
    expect(vaultIdOf('contoso.vault.azure.net')).not.toBe(vaultIdOf('contoso.managedhsm.azure.net'));
  });
});
