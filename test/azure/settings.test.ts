import { describe, expect, it } from 'vitest';
import { readSettings, SettingsError } from '../../src/azure/settings.ts';
import { designPolicy } from '../builders.ts';

const needed = {
  KEYWARD_TENANT_ID: 'aaaaaaaa-0000-4000-8000-000000000001',
  KEYWARD_SYSTEM_KEY: 'https://operator.vault.azure.net/keys/system',
  KEYWARD_AT_REST_KEY: 'https://operator.vault.azure.net/keys/at-rest',
  AzureWebJobsStorage: 'DefaultEndpointsProtocol=https;AccountName=secret',
};
const { AzureWebJobsStorage: _connection, ...withoutStorage } = needed;
const byIdentity = {
  ...withoutStorage,
  KEYWARD_TABLES_ENDPOINT: 'https://keyward.table.core.windows.net',
  AzureWebJobsStorage__queueServiceUri: 'https://keyward.queue.core.windows.net',
};

function complaint(environment: Record<string, string | undefined>): string {
  try {
    readSettings(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    return (error as Error).message;
  }
  throw new Error('The settings were accepted.');
}

describe('the settings', () => {
  it('the settings default to the public cloud and the published policy', () => {
    expect(readSettings({ ...needed, PATH: '/bin' })).toEqual({
      ...needed,
      KEYWARD_CLOUD: 'public',
      policy: designPolicy,
    });
  });

  it('the settings name the identities of the app, as the deployment knows them', () => {
    const id = '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/media';
    const one = { id, principalId: needed.KEYWARD_TENANT_ID, clientId: needed.KEYWARD_TENANT_ID };
    const read = readSettings({ ...needed, KEYWARD_USER_ASSIGNED_IDENTITIES: JSON.stringify([one]) });
    expect(read.KEYWARD_USER_ASSIGNED_IDENTITIES).toEqual([one]);
  });

  it('the settings accept a GUID in capitals', () => {
    const KEYWARD_TENANT_ID = needed.KEYWARD_TENANT_ID.toUpperCase();
    expect(readSettings({ ...needed, KEYWARD_TENANT_ID })).toMatchObject({ KEYWARD_TENANT_ID });
  });

  it('the settings can name the storage services instead of a connection string', () => {
    expect(readSettings(byIdentity)).toMatchObject(byIdentity);
  });

  it.each([
    ['KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS', '120', { lookIntervalHealthySeconds: 120 }],
    ['KEYWARD_CONFIRM_KEY_DISABLED_LOOKS', '3', { confirmKeyDisabledLooks: 3 }],
    ['KEYWARD_CONFIRM_VAULT_NOT_FOUND_SECONDS', '1800', { confirmVaultNotFoundSeconds: 1800 }],
    ['KEYWARD_ACCOUNTS_PER_MESSAGE', '', {}],
  ])('the setting %s=%s changes that number of the policy only', (name, value, changes) => {
    expect(readSettings({ ...needed, [name]: value }).policy).toEqual({ ...designPolicy, ...changes });
  });

  it.each<[string, Record<string, string | undefined>]>([
    ['KEYWARD_TENANT_ID', { KEYWARD_TENANT_ID: undefined }],
    ['KEYWARD_TENANT_ID', { KEYWARD_TENANT_ID: 'contoso.onmicrosoft.com' }],
    ['KEYWARD_SYSTEM_KEY', { KEYWARD_SYSTEM_KEY: undefined }],
    ['KEYWARD_SYSTEM_KEY', { KEYWARD_SYSTEM_KEY: '' }],
    ['KEYWARD_SYSTEM_KEY', { KEYWARD_SYSTEM_KEY: 'https://evil.com/keys/system' }],
    ['KEYWARD_SYSTEM_KEY', { KEYWARD_SYSTEM_KEY: `${needed.KEYWARD_SYSTEM_KEY}/ee059b2bb5bc48398a53b168c6cdcb10` }],
    ['KEYWARD_SYSTEM_KEY', { KEYWARD_CLOUD: 'china' }],
    ['KEYWARD_AT_REST_KEY', { KEYWARD_AT_REST_KEY: undefined }],
    ['KEYWARD_AT_REST_KEY', { KEYWARD_AT_REST_KEY: `${needed.KEYWARD_AT_REST_KEY}/` }],
    ['KEYWARD_RECOVERY_KEY', { KEYWARD_RECOVERY_KEY: 'https://evil.com/keys/recovery' }],
    ['KEYWARD_RECOVERY_KEY', { KEYWARD_RECOVERY_KEY: 'https://operator.vault.azure.net/keys/recovery' }],
    [
      'KEYWARD_RECOVERY_KEY',
      { KEYWARD_RECOVERY_KEY: 'https://second.vault.azure.net/keys/recovery/ee059b2bb5bc48398a53b168c6cdcb10' },
    ],
    ['KEYWARD_CLOUD', { KEYWARD_CLOUD: 'germany' }],
    ['KEYWARD_TABLES_ENDPOINT', { ...byIdentity, AzureWebJobsStorage: undefined, KEYWARD_TABLES_ENDPOINT: undefined }],
    ['KEYWARD_TABLES_ENDPOINT', { KEYWARD_TABLES_ENDPOINT: 'http://keyward.table.core.windows.net' }],
    [
      'KEYWARD_ADDITIONAL_TABLES_ENDPOINTS',
      { ...byIdentity, KEYWARD_ADDITIONAL_TABLES_ENDPOINTS: 'https://two.table.core.windows.net,http://three' },
    ],
    [
      'KEYWARD_ADDITIONAL_TABLES_ENDPOINTS',
      { ...byIdentity, KEYWARD_ADDITIONAL_TABLES_ENDPOINTS: 'https://keyward.table.core.windows.net/' },
    ],
    [
      'AzureWebJobsStorage__queueServiceUri',
      { ...byIdentity, AzureWebJobsStorage: undefined, AzureWebJobsStorage__queueServiceUri: undefined },
    ],
    ['KEYWARD_IDENTITY_PRINCIPAL_ID', { KEYWARD_IDENTITY_PRINCIPAL_ID: 'keyward' }],
    ['KEYWARD_IDENTITY_CLIENT_ID', { KEYWARD_IDENTITY_CLIENT_ID: '' }],
    ['KEYWARD_USER_ASSIGNED_IDENTITIES', { KEYWARD_USER_ASSIGNED_IDENTITIES: 'media' }],
    ['KEYWARD_USER_ASSIGNED_IDENTITIES', { KEYWARD_USER_ASSIGNED_IDENTITIES: '[{"id":"media"}]' }],
    ['KEYWARD_USER_ASSIGNED_IDENTITIES', { KEYWARD_USER_ASSIGNED_IDENTITIES: '[null]' }],
    ['KEYWARD_USER_ASSIGNED_IDENTITIES', { KEYWARD_USER_ASSIGNED_IDENTITIES: '[{"id":1,"principalId":2}]' }],
    ['KEYWARD_USER_ASSIGNED_IDENTITIES', { KEYWARD_USER_ASSIGNED_IDENTITIES: '{}' }],
    ['KEYWARD_OWNER_TAG', { KEYWARD_OWNER_TAG: 'a'.repeat(257) }],
    ['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'collector:4318' }],
    ['KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS', { KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: 'soon' }],
    ['KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS', { KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '5' }],
    ['KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS', { KEYWARD_LOOK_SPACING_SECONDS: '20' }],
    ['KEYWARD_CONFIRM_KEY_NOT_FOUND_LOOKS', { KEYWARD_CONFIRM_KEY_NOT_FOUND_LOOKS: '0' }],
  ])('the error names %s when %j is wrong', (name, changes) => {
    expect(complaint({ ...needed, ...changes })).toContain(`${name}:`.replace(/:$/, ''));
  });

  it('the error names every wrong setting at once', () => {
    const message = complaint({});
    for (const name of ['KEYWARD_TENANT_ID', 'KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY'])
      expect(message).toContain(name);
  });

  it('no error contains the connection string', () => {
    expect(complaint({ AzureWebJobsStorage: needed.AzureWebJobsStorage })).not.toContain('secret');
  });
});

describe.each(['KEYWARD_KEY_VAULT_EMULATOR', 'KEYWARD_ENTRA_EMULATOR'] as const)('%s', (name) => {
  const emulator = { ...needed, [name]: 'http://127.0.0.1:4711' };

  it('the address of an emulator is accepted in development', () => {
    const settings = readSettings({ ...emulator, AZURE_FUNCTIONS_ENVIRONMENT: 'Development' });
    expect(settings[name]).toBe('http://127.0.0.1:4711');
  });

  it.each([undefined, '', 'Production', 'Staging', 'development'])(
    'the address of an emulator is rejected when the environment is %j',
    (environment) => {
      expect(complaint({ ...emulator, AZURE_FUNCTIONS_ENVIRONMENT: environment })).toContain(name);
    },
  );

  it.each([
    'https://127.0.0.1:4711',
    'http://evil.com',
    'http://127.0.0.1.evil.com',
    'http://127.0.0.1@evil.com',
    'here',
  ])('the address of an emulator must be on this machine: %s is rejected', (address) => {
    const environment = { ...emulator, [name]: address, AZURE_FUNCTIONS_ENVIRONMENT: 'Development' };
    expect(complaint(environment)).toContain(name);
  });
});

describe('KEYWARD_ANNOUNCEMENTS_ENDPOINT', () => {
  const name = 'KEYWARD_ANNOUNCEMENTS_ENDPOINT';
  const here = 'http://127.0.0.1:4711/api/events';

  it.each<[string, string, string | undefined]>([
    ['a topic of Event Grid', 'https://t.westeurope-1.eventgrid.azure.net/api/events', undefined],
    ['one on this machine, in development', here, 'Development'],
  ])('KEYWARD_ANNOUNCEMENTS_ENDPOINT accepts %s', (_, endpoint, environment) => {
    const settings = readSettings({ ...needed, [name]: endpoint, AZURE_FUNCTIONS_ENVIRONMENT: environment });
    expect(settings[name]).toBe(endpoint);
  });

  it.each<[string, string, string | undefined]>([
    ['one on this machine, in production', here, undefined],
    ['another machine without TLS', 'http://evil.com/api/events', 'Development'],
    ['a host without the path', 'https://t.westeurope-1.eventgrid.azure.net', undefined],
    ['a name', 'my-topic', undefined],
    ['nothing', '', undefined],
  ])('KEYWARD_ANNOUNCEMENTS_ENDPOINT rejects %s, and the error says what it accepts', (_, endpoint, environment) => {
    const message = complaint({ ...needed, [name]: endpoint, AZURE_FUNCTIONS_ENVIRONMENT: environment });
    expect(message).toContain(`${name}: must be the endpoint of a topic, https://`);
  });
});
