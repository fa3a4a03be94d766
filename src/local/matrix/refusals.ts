/** Rejections that are no denial of a key: the customer's network, a tenant, a token, and unknown responses. */
import { fault, keyChange, outage, played, type Row, vaultChange } from './row.ts';

const firewall = (mode: string) => vaultChange({ firewall: mode }, { firewall: 'ok' });

const unauthorized = (message: string, headers = {}) =>
  fault({ action: 'status', status: 401, code: 'Unauthorized', message, headers });

const otherTenant =
  'Bearer authorization="https://login.microsoftonline.com/99999999-9999-4999-8999-999999999999", resource="https://vault.azure.net"';

const json = { 'content-type': 'application/json; charset=utf-8' };

export const refusals: readonly Row[] = [
  {
    name: 'the firewall blocks Keyward',
    evidence: 'recorded',
    ...firewall('ForbiddenByFirewall'),
    expect: outage('VaultFirewallDenied'),
  },
  {
    name: 'a network security perimeter blocks Keyward (the inner code of the firewall, with another message)',
    evidence: 'recorded',
    ...firewall('NetworkSecurityPerimeter'),
    expect: outage('NetworkPerimeterDenied'),
  },
  {
    name: 'public access is disabled',
    evidence: 'recorded',
    ...firewall('ForbiddenByConnection'),
    expect: outage('VaultPrivateLinkDenied'),
  },
  {
    name: '403 with an unknown inner code',
    evidence: 'inferred',
    ...fault({ action: 'forbidden', inner: 'SomethingNew' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '403 of a disabled key without innererror',
    evidence: 'inferred',
    vault: { answers: { innerErrors: false } },
    ...keyChange({ enabled: false }, { enabled: true }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '403 with the HTML of a proxy',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 403, body: 'html' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '403 with an empty body',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 403, body: 'empty' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '403 with an error that is a text and not an object',
    evidence: 'inferred',
    ...played((response) => response.writeHead(403, json).end('{"error":"Forbidden"}')),
    expect: outage('UnknownResponse'),
  },
  {
    name: '403 whose codes are numbers',
    evidence: 'inferred',
    ...played((response) =>
      response.writeHead(403, json).end('{"error":{"code":403,"message":403,"innererror":{"code":7}}}'),
    ),
    expect: outage('UnknownResponse'),
  },
  {
    name: '403 with a list for a body',
    evidence: 'inferred',
    ...played((response) => response.writeHead(403, json).end('[null]')),
    expect: outage('UnknownResponse'),
  },
  {
    name: '401 AKV10032: the vault was moved to another tenant, and requests its tokens',
    evidence: 'documented',
    ...unauthorized(
      'AKV10032: Invalid issuer. Expected one of https://sts.windows.net/9/, found https://sts.windows.net/1/.',
      {
        'www-authenticate': otherTenant,
      },
    ),
    expect: outage('TenantMismatch'),
  },
  {
    name: '401 AKV10022: wrong audience',
    evidence: 'documented',
    ...unauthorized('AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://other.'),
    expect: outage('IdentityUnavailable'),
  },
  {
    name: '401 for a token that has expired',
    evidence: 'recorded',
    ...unauthorized("[TokenExpired] Error validating token: 'S2S12086'."),
    expect: outage('IdentityUnavailable'),
  },
  {
    name: '401 with an empty body and no challenge',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 401, body: 'empty' }),
    expect: outage('IdentityUnavailable'),
  },
  {
    name: '404 with an empty body',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 404, body: 'empty' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '404 with the HTML of a proxy',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 404, body: 'html' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '404 with another code',
    evidence: 'inferred',
    ...fault({ action: 'status', status: 404, code: 'NotFound' }),
    expect: outage('UnknownResponse'),
  },
  {
    name: '400 BadParameter: the vault cannot decrypt the blob',
    evidence: 'recorded',
    ...fault({ action: 'status', status: 400, code: 'BadParameter', operation: 'unwrapkey' }),
    expect: outage('KeyMaterialMismatch'),
  },
  {
    name: '200 with other bytes than the account key',
    evidence: 'inferred',
    ...fault({ action: 'wrongUnwrap' }),
    expect: outage('KeyMaterialMismatch'),
  },
];
