import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { causeOf, causeTable } from '../../src/azure/causeTable.ts';
import type { WireRecord } from '../../src/azure/wireRecord.ts';
import type { Cause } from '../../src/core/base/causes.ts';

const forbidden = (innerCode: string): WireRecord => ({ status: 403, code: 'Forbidden', innerCode });
const entra = (aadsts: string): WireRecord => ({ credentialError: { name: 'Entra', aadsts } });

/** Known responses of the real service, Entra ID and Node: recorded traffic and their documentation. */
const documented: [string, WireRecord, Cause][] = [
  ['a disabled key', forbidden('KeyDisabled'), 'KeyDisabled'],
  ['no role on the key', forbidden('ForbiddenByRbac'), 'KeyPermissionDenied'],
  ['no access policy', forbidden('AccessDenied'), 'KeyPermissionDenied'],
  ['no access policy, as it was reported in 2021', forbidden('ForbiddenByPolicy'), 'KeyPermissionDenied'],
  ['unwrapKey not among key_ops', forbidden('KeyOperationForbidden'), 'KeyOperationNotAllowed'],
  ['a key that is not there', { status: 404, code: 'KeyNotFound' }, 'KeyNotFound'],
  ['a name that does not exist here or in public', { networkCode: 'ENOTFOUND', isNameGone: true }, 'VaultNotFound'],
  ['a name that does not exist here, with no proof that it is gone', { networkCode: 'ENOTFOUND' }, 'DnsFailure'],
  ['a body beyond the limit', { networkCode: 'BODY_TOO_LARGE' }, 'UnknownResponse'],
  ['an application not in the tenant', entra('700016'), 'IdentityNotAuthorized'],
  ['a missing service principal', entra('7000229'), 'IdentityNotAuthorized'],
  ['a disabled application', entra('7000112'), 'IdentityNotAuthorized'],
  ['conditional access', entra('53003'), 'IdentityNotAuthorized'],

  ['the firewall', forbidden('ForbiddenByFirewall'), 'VaultFirewallDenied'],
  ['private link only', forbidden('ForbiddenByConnection'), 'VaultPrivateLinkDenied'],
  ['a connection that breaks in the middle of an answer', { networkCode: 'PARSE_ERROR' }, 'ConnectionFailed'],
  ['a token that does not come in time', { awaitsToken: true }, 'IdentityUnavailable'],
  ['a host that is no Key Vault', { networkCode: 'HostNotAllowed' }, 'VaultHostNotAllowed'],
  ['a network security perimeter', { ...forbidden('ForbiddenByFirewall'), perimeter: true }, 'NetworkPerimeterDenied'],

  ['a tenant that does not exist', entra('90002'), 'TenantMismatch'],
  ['a tenant that is not allowed', { credentialError: { name: 'TenantNotAllowed' } }, 'TenantMismatch'],
  ['a token of another tenant', { status: 401, code: 'Unauthorized', akv: 'AKV10032' }, 'TenantMismatch'],
  ['a token for another audience', { status: 401, code: 'Unauthorized', akv: 'AKV10022' }, 'IdentityUnavailable'],
  ['an expired token', { status: 401, code: 'Unauthorized' }, 'IdentityUnavailable'],
  ['no managed identity', { credentialError: { name: 'CredentialUnavailableError' } }, 'IdentityUnavailable'],
  ['no matching federated credential', entra('70021'), 'IdentityUnavailable'],
  ['an application that trusts another issuer', entra('700211'), 'IdentityUnavailable'],
  ['an application that trusts another audience', entra('700212'), 'IdentityUnavailable'],
  ['an application that trusts another identity', entra('700213'), 'IdentityUnavailable'],
  ['an assertion whose signature is not accepted', entra('700027'), 'IdentityUnavailable'],
  ['consent that a client credentials request never needs', entra('65001'), 'IdentityUnavailable'],
  ['a code that nobody has seen yet', entra('7999999'), 'IdentityUnavailable'],
  ['an assertion that has expired', entra('700024'), 'IdentityUnavailable'],
  ['a bad secret of ours', entra('7000215'), 'IdentityUnavailable'],
  ['a missing resource principal', entra('500011'), 'IdentityUnavailable'],

  ['throttling', { status: 429, code: 'Throttled' }, 'Throttled'],
  ['throttling with Retry-After', { status: 429, code: 'Throttled', retryAfterSeconds: 10 }, 'Throttled'],
  ['a server error', { status: 500 }, 'VaultUnavailable'],
  ['an empty 503', { status: 503 }, 'VaultUnavailable'],
  ['a gateway that gave up', { status: 504 }, 'VaultUnavailable'],
  ['a request that took too long to arrive', { status: 408 }, 'VaultTimeout'],
  ['our own deadline', { timedOut: true }, 'VaultTimeout'],
  ['our own deadline, during the call after the challenge', { status: 401, timedOut: true }, 'VaultTimeout'],
  ...['ETIMEDOUT', 'ESOCKETTIMEDOUT'].map(
    (code) => [code, { networkCode: code }, 'VaultTimeout'] as [string, WireRecord, Cause],
  ),
  ...['EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'ESERVFAIL'].map(
    (code) => [code, { networkCode: code }, 'DnsFailure'] as [string, WireRecord, Cause],
  ),
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN'].map(
    (code) => [code, { networkCode: code }, 'ConnectionFailed'] as [string, WireRecord, Cause],
  ),
  ...[
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'EPROTO',
  ].map((code) => [code, { networkCode: code }, 'TlsFailure'] as [string, WireRecord, Cause]),

  ['an expired key (inferred)', forbidden('KeyExpired'), 'KeyExpired'],
  ['a key that is not yet valid', forbidden('KeyNotYetValid'), 'KeyNotYetValid'],
  ['bytes that do not decrypt', { status: 400, code: 'BadParameter' }, 'KeyMaterialMismatch'],
];

/** Responses that are in no list. */
const unknown: [string, WireRecord][] = [
  ['nothing at all', {}],
  ['a 403 without body', { status: 403 }],
  ['a 403 of a proxy, in HTML', { status: 403 }],
  ['a 403 with an unknown inner code', forbidden('SomethingNew')],
  ['a 403 with the inner code in another case', forbidden('keydisabled')],
  ['a 403 whose outer code is an inner one', { status: 403, code: 'KeyDisabled' }],
  ['a 404 without body', { status: 404 }],
  ['a 404 of another thing', { status: 404, code: 'SecretNotFound' }],
  ['a 404 with an inner code alone', { status: 404, innerCode: 'KeyNotFound' }],
  ['a KeyDisabled that is no 403', { status: 400, code: 'Forbidden', innerCode: 'KeyDisabled' }],
  ['a KeyNotFound that is no 404', { status: 400, code: 'KeyNotFound' }],
  ['a 400 without body', { status: 400 }],
  ['a conflict', { status: 409, code: 'Conflict', innerCode: 'ObjectIsBeingDeleted' }],
  ['a redirect', { status: 302 }],
  ['a success that is none', { status: 200 }],
  ['a network error without a code', { networkCode: 'UNKNOWN' }],
];

const denials: Cause[] = [
  ...(['KeyDisabled', 'KeyNotFound', 'KeyPermissionDenied', 'KeyOperationNotAllowed'] as const),
  ...(['IdentityNotAuthorized', 'VaultNotFound'] as const),
];

describe('the cause of a recorded call', () => {
  it.each(documented)('the cause of %s, %j, is %s', (_, wire, cause) => {
    expect(causeOf(wire)).toBe(cause);
  });

  it.each(unknown)('INV-2: %s is UnknownResponse, never a denial: %j', (_, wire) => {
    expect(causeOf(wire)).toBe('UnknownResponse');
  });

  it('every row of the cause table has a known response and a source', () => {
    const reached = new Set(documented.map(([, wire]) => causeTable.find((row) => row.when(wire))));
    expect(causeTable.filter((row) => !reached.has(row))).toEqual([]);
    for (const { source } of causeTable) expect(source).toMatch(/^(rec|doc|src|inf)\b/);
  });

  it('INV-2: the cause is a denial only for a documented denial, with any other facts beside it', () => {
    const words = (known: string[]) =>
      fc.option(fc.oneof(fc.constantFrom(...known), fc.string()), { nil: undefined, freq: 2 });
    const inner = documented.flatMap(([, wire]) => (wire.innerCode === undefined ? [] : [wire.innerCode]));
    const networkCodes = documented.flatMap(([, wire]) => (wire.networkCode === undefined ? [] : [wire.networkCode]));
    const credential = fc.record(
      {
        name: fc.constantFrom('Entra', 'TenantNotAllowed', 'CredentialUnavailableError', 'AuthenticationRequiredError'),
        aadsts: fc.oneof(
          fc.constantFrom('700016', '7000229', '7000112', '53003', '90002', '70021'),
          fc.stringMatching(/^\d{4,8}$/),
        ),
      },
      { requiredKeys: ['name'] },
    );
    /** A third of the records are known ones, a third are known ones with an additional fact. */
    const known = fc.constantFrom(...documented.map(([, wire]) => wire));
    const random = fc.record({
      status: fc.option(
        fc.oneof(fc.constantFrom(200, 400, 401, 403, 404, 429, 503), fc.integer({ min: 100, max: 599 })),
        { nil: undefined, freq: 2 },
      ),
      code: words(['Forbidden', 'KeyNotFound', 'BadParameter', 'Unauthorized', 'KeyDisabled']),
      innerCode: words([...inner, 'SomethingNew']),
      networkCode: words([...networkCodes, 'UNKNOWN']),
      timedOut: fc.option(fc.boolean(), { nil: undefined, freq: 2 }),
      credentialError: fc.option(credential, { nil: undefined, freq: 2 }),
      perimeter: fc.option(fc.constant(true as const), { nil: undefined, freq: 2 }),
      isNameGone: fc.option(fc.constant(true as const), { nil: undefined, freq: 2 }),
      akv: words(['AKV10032', 'AKV10022', 'AKV10000']),
    });
    const mixed = fc.tuple(random, known).map(([noise, wire]) => ({ ...noise, ...wire }));
    const wires = fc.oneof(random, mixed, known);
    const seen = new Set<Cause>();
    fc.assert(
      fc.property(wires, (generated) => {
        const wire = JSON.parse(JSON.stringify(generated)) as WireRecord;
        const cause = causeOf(wire);
        seen.add(cause);
        if (!denials.includes(cause)) return;
        const proof = documented.find(([, known, said]) => said === cause && fits(known, wire));
        expect(proof, JSON.stringify(wire)).toBeDefined();
        // Without a token, or a response in time, the vault cannot have denied anything. Without a name, only the name
        // is gone.
        if (cause !== 'IdentityNotAuthorized') expect(wire.credentialError).toBeUndefined();
        if (cause !== 'IdentityNotAuthorized') expect(wire.timedOut ?? false).toBe(false);
      }),
      { numRuns: 5000 },
    );
    expect([...denials].filter((cause) => !seen.has(cause))).toEqual([]);
  });
});

/** Whether the other record has every significant field of the known one. `code` of a 403 is not significant. */
function fits(known: WireRecord, wire: WireRecord): boolean {
  return (
    (known.status === undefined || known.status === wire.status) &&
    (known.innerCode === undefined
      ? known.status !== 404 || known.code === wire.code
      : known.innerCode === wire.innerCode) &&
    (known.networkCode === undefined || known.networkCode === wire.networkCode) &&
    (known.isNameGone === undefined || known.isNameGone === wire.isNameGone) &&
    (known.credentialError?.aadsts === undefined || known.credentialError.aadsts === wire.credentialError?.aadsts)
  );
}
