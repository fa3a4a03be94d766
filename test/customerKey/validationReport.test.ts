import { describe, expect, it } from 'vitest';
import type { Cause } from '../../src/core/base/causes.ts';
import { Refusal } from '../../src/core/base/errors.ts';
import { bindingOf } from '../../src/core/customerKey/binding.ts';
import type { KeyDescription } from '../../src/core/customerKey/ports.ts';
import type { KeyFacts } from '../../src/core/customerKey/validationChecks.ts';
import { type Check, checksOf, isValid } from '../../src/core/customerKey/validationReport.ts';
import { start, version1 } from '../builders.ts';

/** docs/operator-calls.md, "Dry run": every check, in this order. */
const order = [
  'identifierForm',
  'hostAllowed',
  'ownerMayUse',
  'identityToken',
  'vaultReachable',
  'keyReadable',
  'keyType',
  'keySize',
  'keyEnabled',
  'keyActivation',
  'keyExpiry',
  'keyOperations',
  'softDelete',
  'purgeProtection',
  'region',
  'ownerTag',
  'unwrapProof',
];
const day = 86_400_000;
const description: KeyDescription = {
  version: version1,
  keyType: 'RSA',
  bits: 3072,
  enabled: true,
  operations: ['wrapKey', 'unwrapKey'],
  recoveryLevel: 'Recoverable',
  region: 'westeurope',
  publicKey: { n: new Uint8Array(384), e: Uint8Array.of(1, 0, 1) },
};
const identifier = {
  text: 'https://contoso.vault.azure.net/keys/cmk',
  vaultHost: 'contoso.vault.azure.net',
  vaultName: 'contoso',
  keyName: 'cmk',
};
const binding = bindingOf(identifier, '11111111-1111-4111-8111-111111111111', { useSystemAssignedIdentity: true });
const observed = { status: 200, requestId: 'r-1', durationMs: 3 };
const proof = { ok: true, value: undefined, observed } as const;
const good: KeyFacts = {
  identifier,
  binding,
  mayUse: true,
  described: { ok: true, value: description, observed },
  proof,
};
const measure = {
  cloud: 'public' as const,
  location: 'westeurope',
  now: start,
  nearExpiryDays: 30,
  owner: 'contoso',
};

const keyed = (more: Partial<KeyDescription>): KeyFacts => ({
  ...good,
  described: { ok: true, value: { ...description, ...more }, observed },
});
const failing = (cause: Cause, more: Partial<KeyFacts> = {}): KeyFacts => ({
  identifier,
  binding,
  mayUse: true,
  described: { ok: false, cause, observed: { status: 403, innerCode: 'Inner', requestId: 'r-2', durationMs: 3 } },
  ...more,
});
const look = (facts: KeyFacts, more: { ownerTag?: string } = {}): Check[] => checksOf(facts, { ...measure, ...more });
const named = (checks: readonly Check[], name: string): Check =>
  checks.find((check) => check.name === name) ?? expect.fail(name);
/** `name: result cause` of all checks that did not pass. */
const notPassed = (checks: readonly Check[]): string[] =>
  checks.flatMap(({ name, result, cause }) =>
    result === 'pass' ? [] : [[`${name}:`, result, cause].join(' ').trim()],
  );
/** Most of these tests require no tag, so this check always has a result. */
const unknownFrom = (name: string) =>
  order.slice(order.indexOf(name)).flatMap((one) => (one === 'ownerTag' ? [] : [`${one}: unknown`]));

describe('the checks of a customer key', () => {
  it('the report always has all checks of a customer key, in one order', () => {
    const cases = [
      good,
      failing('Throttled'),
      keyed({ enabled: false }),
      { identifier: new Refusal('KeyIdentifierMalformed', 'x') },
    ];
    for (const facts of cases) expect(look(facts).map(({ name }) => name)).toEqual(order);
  });

  it('the checks of a good key pass, and show what was found', () => {
    const checks = look(good);
    expect(notPassed(checks)).toEqual([]);
    expect(isValid(checks)).toBe(true);
    const seen = Object.fromEntries(checks.map(({ name, seen: what }) => [name, what]));
    expect(seen).toMatchObject({ keyType: 'RSA', keySize: '3072 bits', keyOperations: 'wrapKey unwrapKey' });
    expect(seen).toMatchObject({ purgeProtection: 'Recoverable', region: 'westeurope' });
    expect(seen.unwrapProof).toContain('r-1');
    for (const check of checks) expect(check.remedy).toBeUndefined();
  });

  it.each<[string, KeyFacts, string[]]>([
    [
      'text that is no identifier',
      { identifier: new Refusal('KeyIdentifierMalformed', 'The identifier is not a URL.') },
      ['identifierForm: fail KeyIdentifierMalformed', ...unknownFrom('hostAllowed')],
    ],
    [
      'a host that is no Key Vault',
      { identifier: new Refusal('VaultHostNotAllowed', 'x') },
      ['identifierForm: unknown', 'hostAllowed: fail VaultHostNotAllowed', ...unknownFrom('ownerMayUse')],
    ],
    [
      'another owner’s vault',
      { identifier, binding, mayUse: false },
      ['ownerMayUse: fail OwnerMismatch', ...unknownFrom('identityToken')],
    ],
    ...(['IdentityUnavailable', 'IdentityNotAuthorized', 'TenantMismatch'] as const).map(
      (cause): [string, KeyFacts, string[]] => [
        cause,
        failing(cause),
        [`identityToken: fail ${cause}`, ...unknownFrom('vaultReachable')],
      ],
    ),
    ...(
      ['VaultNotFound', 'DnsFailure', 'Throttled', 'VaultTimeout', 'VaultFirewallDenied', 'UnknownResponse'] as const
    ).map((cause): [string, KeyFacts, string[]] => [
      cause,
      failing(cause),
      // Only an answer of the vault shows whether there is a token.
      ['identityToken: unknown', `vaultReachable: fail ${cause}`, ...unknownFrom('keyReadable')],
    ]),
    ...(['KeyNotFound', 'KeyPermissionDenied'] as const).map((cause): [string, KeyFacts, string[]] => [
      cause,
      failing(cause),
      [`keyReadable: fail ${cause}`, ...unknownFrom('keyType')],
    ]),
  ])('the report shows a check that was not possible as unknown, not as passed: %s', (_title, facts, expected) => {
    expect(notPassed(look(facts))).toEqual(expected);
    expect(isValid(look(facts))).toBe(false);
  });

  it('the report shows three faults of one key at once, each with the command that fixes it', () => {
    const facts = keyed({ enabled: false, region: 'northeurope', recoveryLevel: 'Recoverable+Purgeable' });
    const checks = look({ ...facts, proof: { ok: false, cause: 'KeyDisabled', observed } });
    expect(notPassed(checks)).toEqual([
      'keyEnabled: fail KeyDisabled',
      'purgeProtection: fail PurgeProtectionMissing',
      'region: fail RegionMismatch',
      // The vault refused because of the faults above: this is not another fault.
      'unwrapProof: unknown',
    ]);
    expect(named(checks, 'keyEnabled').remedy).toContain(
      'az keyvault key set-attributes --vault-name contoso --name cmk',
    );
    expect(named(checks, 'purgeProtection').remedy).toContain('az keyvault update --name contoso');
  });

  it.each<[string, number | undefined, string[]]>([
    ['none', undefined, []],
    ['in 31 days', start + 31 * day, []],
    ['in 30 days', start + 30 * day, ['keyExpiry: warn KeyNearExpiry']],
    ['now', start, ['keyExpiry: fail KeyExpired']],
  ])('the report warns of a near expiry date: %s', (_title, expiresOn, expected) => {
    const checks = look(keyed(expiresOn === undefined ? {} : { expiresOn }));
    expect(notPassed(checks)).toEqual(expected);
    expect(isValid(checks)).toBe(!expected.some((one) => one.includes('fail')));
    const rotate = 'az keyvault key rotate --vault-name contoso --name cmk';
    if (expected.length > 0) expect(named(checks, 'keyExpiry').remedy).toContain(rotate);
  });

  it('the report shows a region that the vault does not return as unknown, and not as a fault', () => {
    const { region: _untold, ...rest } = description;
    const checks = look({ ...good, described: { ok: true, value: rest, observed } });
    expect(notPassed(checks)).toEqual(['region: unknown']);
    expect(isValid(checks)).toBe(true);
  });

  it('the report says of a denied grant that role assignments take up to 10 minutes', () => {
    for (const checks of [
      look(failing('KeyPermissionDenied')),
      look({ ...good, proof: { ok: false, cause: 'KeyPermissionDenied', observed } }),
    ])
      expect(checks.find(({ cause }) => cause === 'KeyPermissionDenied')?.message).toMatch(/up to 10 minutes/);
  });

  it('the report shows the result of an unwrap when get is denied', () => {
    const probed = (cause: Cause) =>
      named(look(failing('KeyPermissionDenied', { probe: { ok: false, cause, observed } })), 'unwrapProof');
    // The vault tried: it answers 400 to bytes that it cannot open.
    expect(probed('KeyMaterialMismatch')).toMatchObject({
      result: 'unknown',
      message: expect.stringMatching(/may unwrap/),
    });
    expect(probed('KeyPermissionDenied')).toMatchObject({ result: 'fail', cause: 'KeyPermissionDenied' });
    expect(probed('Throttled').result).toBe('unknown');
  });

  it('the report shows a failed proof with its own cause', () => {
    const checks = look({ ...good, proof: { ok: false, cause: 'KeyMaterialMismatch', observed } });
    expect(notPassed(checks)).toEqual(['unwrapProof: fail KeyMaterialMismatch']);
  });
});

describe('INV-10: the tag that names the owner', () => {
  it.each<[string, Record<string, string> | undefined, string]>([
    ['absent', undefined, 'fail'],
    ['of another name', { owner: 'contoso' }, 'fail'],
    ['of another owner', { 'keyward-owner': 'fabrikam' }, 'fail'],
    ['in another case', { 'keyward-owner': 'Contoso' }, 'fail'],
    ['right', { 'keyward-owner': 'contoso', other: 'x' }, 'pass'],
  ])('INV-10: the owner’s tag: %s', (_title, tags, result) => {
    const check = named(look(keyed(tags === undefined ? {} : { tags }), { ownerTag: 'keyward-owner' }), 'ownerTag');
    expect(check.result).toBe(result);
    if (result === 'pass') return;
    expect(check).toMatchObject({
      cause: 'OwnerMismatch',
      remedy: expect.stringContaining('--tags "keyward-owner=contoso"'),
    });
    expect(JSON.stringify(check)).not.toContain('fabrikam');
  });

  it('INV-10: no tag is required without the setting, and no property of Object counts as a tag', () => {
    expect(named(look(good), 'ownerTag').result).toBe('pass');
    expect(named(look(keyed({ tags: {} }), { ownerTag: 'constructor' }), 'ownerTag').result).toBe('fail');
  });
});
