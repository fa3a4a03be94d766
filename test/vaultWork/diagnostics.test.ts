import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { targetsOfDiagnostics } from '../../src/core/vaultWork/diagnostics.ts';

/** A real record, shortened (Azure docs, "Key Vault logging"). */
const record = {
  time: '2024-04-04T06:47:34.7178619Z',
  category: 'AuditEvent',
  operationName: 'KeyDelete',
  resultType: 'Success',
  properties: { id: 'https://sample-kv.vault.azure.net/keys/cmk-key', httpStatusCode: 200 },
  resourceId: '/SUBSCRIPTIONS/S/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/SAMPLE-KV',
  durationMs: '44',
};
const vault = { vaultHost: 'sample-kv.vault.azure.net' };
const key = { ...vault, keyName: 'cmk-key' };
const targets = (...records: unknown[]) => targetsOfDiagnostics({ records }, 'public');
const withProperties = (changes: object) => ({ ...record, properties: { ...record.properties, ...changes } });

describe('a Key Vault diagnostic record', () => {
  it.each(['KeyDelete', 'KeyPurge', 'KeyRecover', 'KeyUpdate', 'KeyCreate', 'KeyImport', 'KeyRotate', 'KEYDELETE'])(
    'a diagnostic record of %s targets the key',
    (operationName) => {
      expect(targets({ ...record, operationName })).toEqual([key]);
    },
  );

  it.each<[string, unknown, object]>([
    [
      'with a version in its id',
      withProperties({ id: `${record.properties.id}/ee059b2bb5bc48398a53b168c6cdcb10` }),
      key,
    ],
    ['with its id in upper case', withProperties({ id: record.properties.id.toUpperCase() }), key],
    ['with its status as text', withProperties({ httpStatusCode: '200' }), key],
    [
      'with spaces around every value',
      {
        operationName: ' KeyDelete ',
        properties: { id: ` ${record.properties.id} `, httpStatusCode: ' 200 ' },
        resourceId: `${record.resourceId} `,
      },
      key,
    ],
    ['of the vault itself', { ...record, operationName: 'VaultDelete', properties: { httpStatusCode: 200 } }, vault],
    ['without an id', withProperties({ id: undefined }), vault],
    ['with an id that is no key', withProperties({ id: 'https://sample-kv.vault.azure.net/secrets/x' }), vault],
    ['with an id of another host', withProperties({ id: 'https://evil.com/keys/cmk-key' }), vault],
  ])('a diagnostic record %s targets %j', (_, input, expected) => {
    expect(targets(input)).toEqual([expected]);
  });

  it.each<[string, unknown]>([
    ['that only reads', { ...record, operationName: 'KeyGet' }],
    ['that unwraps', { ...record, operationName: 'KeyUnwrap' }],
    ['of something that failed, though its result says Success', withProperties({ httpStatusCode: 404 })],
    ['of something refused', withProperties({ httpStatusCode: 403 })],
    ['without a status', { ...record, properties: {} }],
    ['without properties', { ...record, properties: undefined }],
    [
      'of another resource',
      { ...record, resourceId: '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/x' },
    ],
    ['of a vault that cannot be', { ...record, resourceId: `${record.resourceId}.EVIL.COM` }],
    ['that is no record', 'KeyDelete'],
    ['that is null', null],
  ])('a diagnostic record %s targets no key', (_, input) => {
    expect(targets(input)).toEqual([]);
  });

  it('each record of a message with several is read separately', () => {
    expect(targets(record, 7, { ...record, operationName: 'KeyGet' }, record)).toEqual([key, key]);
  });

  it('INV-5: any diagnostic record is read without an error, and can name no host but a vault of the cloud', () => {
    const records = fc.array(
      fc.oneof(
        fc.jsonValue(),
        fc.record({
          operationName: fc.oneof(fc.constant('KeyDelete'), fc.jsonValue()),
          resourceId: fc.oneof(
            fc.string().map((name) => record.resourceId + name),
            fc.jsonValue(),
          ),
          properties: fc.oneof(fc.record({ httpStatusCode: fc.constant(200), id: fc.jsonValue() }), fc.jsonValue()),
        }),
      ),
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record({ records })), (message) => {
        for (const { vaultHost } of targetsOfDiagnostics(message, 'public'))
          expect(vaultHost).toMatch(/^[a-z][a-z0-9-]{1,22}[a-z0-9]\.vault\.azure\.net$/);
      }),
      { numRuns: 1000 },
    );
  });
});
