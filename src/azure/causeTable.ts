/**
 * Maps the record of a call to its cause: the first matching row. An unknown answer is UnknownResponse, never a denial.
 * Sources: `rec` recorded traffic of the real service in an official SDK repository, `doc` Microsoft's documentation,
 * `src` source of the SDK or of Node, `inf` inferred.
 */
import type { Cause } from '../core/base/causes.ts';
import type { WireRecord } from './wireRecord.ts';

interface Row {
  readonly when: (wire: WireRecord) => boolean;
  readonly cause: Cause;
  readonly source: string;
}

const status = (code: number) => (wire: WireRecord) => wire.status === code;
const inner =
  (...codes: string[]) =>
  (wire: WireRecord) =>
    wire.status === 403 && wire.innerCode !== undefined && codes.includes(wire.innerCode);
const network =
  (...codes: string[]) =>
  (wire: WireRecord) =>
    wire.networkCode !== undefined && codes.includes(wire.networkCode);
const aadsts =
  (...codes: string[]) =>
  (wire: WireRecord) =>
    wire.credentialError?.aadsts !== undefined && codes.includes(wire.credentialError.aadsts);

export const causeTable: readonly Row[] = [
  // No token: the vault received no call.
  // The tenant's decision: the application or its principal is missing or disabled, or conditional access blocks it.
  {
    when: aadsts('700016', '7000112', '53003'),
    cause: 'IdentityNotAuthorized',
    source: 'doc: Entra error codes',
  },
  { when: aadsts('7000229'), cause: 'IdentityNotAuthorized', source: 'rec: public issue reports' },
  { when: aadsts('90002'), cause: 'TenantMismatch', source: 'doc: Entra error codes' },
  {
    when: (wire) => wire.credentialError?.name === 'TenantNotAllowed',
    cause: 'TenantMismatch',
    source: 'src: credentials.ts',
  },
  // The application does not trust Keyward's managed identity, or its token has expired: the operator owns that
  // credential.
  {
    when: aadsts('70021', '700211', '700212', '700213', '700024', '700027'),
    cause: 'IdentityUnavailable',
    source: 'doc: Entra, workload identity federation',
  },
  { when: (wire) => wire.awaitsToken === true, cause: 'IdentityUnavailable', source: 'src: credentials.ts' },
  { when: (wire) => wire.credentialError !== undefined, cause: 'IdentityUnavailable', source: 'src: @azure/identity' },

  // The transport refused to call the host.
  { when: network('HostNotAllowed'), cause: 'VaultHostNotAllowed', source: 'src: keyVaultTransport.ts' },

  // No answer.
  { when: (wire) => wire.timedOut === true, cause: 'VaultTimeout', source: 'src: AbortSignal.timeout' },
  { when: network('ETIMEDOUT', 'ESOCKETTIMEDOUT'), cause: 'VaultTimeout', source: 'src: Node' },
  { when: network('BODY_TOO_LARGE'), cause: 'UnknownResponse', source: 'src: limitedBody.ts' },
  // The first of two proofs, or no proof: our own private DNS zones can hide a vault that exists.
  {
    when: (wire) => network('ENOTFOUND')(wire) && wire.isNameGone === true,
    cause: 'VaultNotFound',
    source: 'rec: azurerm provider #30455; vaultNames.ts',
  },
  { when: network('ENOTFOUND'), cause: 'DnsFailure', source: 'rec: azure-cli #33226' },
  { when: network('EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'ESERVFAIL'), cause: 'DnsFailure', source: 'src: Node' },
  {
    when: network(
      'ECONNREFUSED',
      'ECONNRESET',
      'ECONNABORTED',
      'EPIPE',
      'ENETUNREACH',
      'EHOSTUNREACH',
      'ENETDOWN',
      'EADDRNOTAVAIL',
    ),
    cause: 'ConnectionFailed',
    source: 'src: Node',
  },
  // A connection that broke during an answer, or before the request was sent.
  {
    when: network('PARSE_ERROR', 'REQUEST_SEND_ERROR'),
    cause: 'ConnectionFailed',
    source: 'src: @azure/core-rest-pipeline RestError',
  },
  {
    when: (wire) => /CERT|TLS|SSL|EPROTO|UNABLE_TO_/.test(wire.networkCode ?? ''),
    cause: 'TlsFailure',
    source: 'src: Node and OpenSSL error codes',
  },

  // Denied by the customer's side.
  { when: inner('KeyDisabled'), cause: 'KeyDisabled', source: 'rec: azure-sdk-for-python #45342' },
  {
    when: inner('ForbiddenByRbac', 'AccessDenied', 'ForbiddenByPolicy'),
    cause: 'KeyPermissionDenied',
    source: 'doc: Key Vault, rbac-abac and common-error-codes',
  },
  {
    when: inner('KeyOperationForbidden'),
    cause: 'KeyOperationNotAllowed',
    source: 'doc: Key Vault SDK troubleshooting',
  },
  {
    when: (wire) => wire.status === 404 && wire.code === 'KeyNotFound',
    cause: 'KeyNotFound',
    source: 'rec: azure-sdk-for-net, GetKey',
  },

  // Denied by rules of the network.
  {
    when: (wire) => inner('ForbiddenByFirewall')(wire) && wire.perimeter === true,
    cause: 'NetworkPerimeterDenied',
    source: 'rec: public issue reports ("Request was not allowed by NSP rules"; inner code ForbiddenByFirewall)',
  },
  { when: inner('ForbiddenByFirewall'), cause: 'VaultFirewallDenied', source: 'doc: Key Vault, common-error-codes' },
  { when: inner('ForbiddenByConnection'), cause: 'VaultPrivateLinkDenied', source: 'rec: public issue reports' },
  { when: inner('KeyExpired'), cause: 'KeyExpired', source: 'inf' },
  { when: inner('KeyNotYetValid'), cause: 'KeyNotYetValid', source: 'rec: smallstep azurekms' },

  // The vault rejected the token.
  {
    when: (wire) => wire.status === 401 && wire.akv === 'AKV10032',
    cause: 'TenantMismatch',
    source: 'doc: Key Vault, rest-error-codes',
  },
  { when: status(401), cause: 'IdentityUnavailable', source: 'doc: Key Vault, rest-error-codes' },

  // Busy or broken.
  { when: status(429), cause: 'Throttled', source: 'rec: AzureSignTool #219' },
  { when: status(408), cause: 'VaultTimeout', source: 'doc: HTTP' },
  { when: (wire) => (wire.status ?? 0) >= 500, cause: 'VaultUnavailable', source: 'doc: Key Vault, rest-error-codes' },

  // The vault could not decrypt the blob: Keyward's blob or version is wrong, which is not a denial.
  {
    when: (wire) => wire.status === 400 && wire.code === 'BadParameter',
    cause: 'KeyMaterialMismatch',
    source: 'rec: azure-sdk-for-js #30125',
  },
];

export function causeOf(wire: WireRecord): Cause {
  return causeTable.find((row) => row.when(wire))?.cause ?? 'UnknownResponse';
}
