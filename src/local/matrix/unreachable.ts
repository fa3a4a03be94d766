/** The vault gives no answer: time-outs, name resolution, connections, TLS. */
import type { Cause } from '../../core/base/causes.ts';
import { fault, harmless, keyChange, outage, played, type Row } from './row.ts';
import { operatorVault } from './world.ts';

const network = (code: string, cause: Cause, evidence: Row['evidence'] = 'documented'): Row => ({
  name: code,
  evidence,
  ...fault({ action: 'network', code }),
  expect: outage(cause),
});

const day = 86_400;
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

export const silence: readonly Row[] = [
  {
    name: 'the vault takes the request and never answers',
    evidence: 'inferred',
    ...fault({ action: 'hang' }),
    expect: outage('VaultTimeout'),
  },
  {
    name: 'the vault begins its response and never ends it',
    evidence: 'inferred',
    ...played((response) => response.writeHead(200, { 'content-length': 1000 }).write('{"kid":')),
    expect: outage('VaultTimeout'),
  },
  {
    name: 'the vault answers after the deadline of a look',
    evidence: 'inferred',
    ...fault({ action: 'delay', delayMs: 3_000 }),
    expect: outage('VaultTimeout'),
  },
  {
    name: 'the vault answers slowly, and within the deadline',
    evidence: 'inferred',
    ...fault({ action: 'delay', delayMs: 100 }),
    expect: harmless,
  },
  {
    name: 'a connection that is reset',
    evidence: 'recorded',
    ...fault({ action: 'reset' }),
    expect: outage('ConnectionFailed'),
  },
  network('ECONNREFUSED', 'ConnectionFailed'),
  network('EPIPE', 'ConnectionFailed'),
  network('EHOSTUNREACH', 'ConnectionFailed'),
  network('ENETUNREACH', 'ConnectionFailed'),
  network('ETIMEDOUT', 'VaultTimeout'),
  network('EAI_AGAIN', 'DnsFailure', 'recorded'),
  network('EAI_FAIL', 'DnsFailure'),
  {
    name: 'ENOTFOUND for this vault alone, which public DNS still has',
    evidence: 'recorded',
    ...fault({ action: 'network', code: 'ENOTFOUND' }),
    expect: outage('DnsFailure'),
  },
  {
    name: 'the customer adds a private endpoint, and a private DNS zone of the operator hides the vault',
    evidence: 'recorded',
    async inject({ lab }, vault) {
      const { zone } = await lab.keyVault<{ zone: string }>('PUT', `/vaults/${vault}/private-endpoint`);
      await lab.keyVault('PUT', `/private-zones/${zone}`, { records: [operatorVault] });
    },
    end: ({ lab }, vault) => lab.keyVault('DELETE', `/vaults/${vault}/private-endpoint`),
    expect: outage('DnsFailure'),
  },
  network('CERT_HAS_EXPIRED', 'TlsFailure'),
  network('SELF_SIGNED_CERT_IN_CHAIN', 'TlsFailure', 'recorded'),
  network('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TlsFailure'),
  network('ERR_TLS_CERT_ALTNAME_INVALID', 'TlsFailure'),
  network('EPROTO', 'TlsFailure'),
  network('EMFILE', 'UnknownResponse', 'inferred'),
];

/** The dates of a key never revoke access: outside them a key still unwraps (Key Vault docs, "Key attributes"). */
export const dates: readonly Row[] = [
  {
    name: 'the key expires',
    evidence: 'documented',
    ...keyChange({ exp: inSeconds(-day) }, { exp: null }),
    expect: harmless,
  },
  {
    name: 'the key is not valid yet',
    evidence: 'documented',
    ...keyChange({ nbf: inSeconds(day) }, { nbf: null }),
    expect: harmless,
  },
  {
    name: 'the key is near its expiry',
    evidence: 'documented',
    ...keyChange({ exp: inSeconds(day) }, { exp: null }),
    expect: harmless,
  },
  {
    name: 'key_ops have only unwrapKey',
    evidence: 'documented',
    ...keyChange({ keyOps: ['unwrapKey'] }, { keyOps: ['wrapKey', 'unwrapKey'] }),
    expect: harmless,
  },
];
