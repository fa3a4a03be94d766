/** What the value of each setting must be. */
import { isGuid } from '../core/base/names.ts';
import { keyVaultSuffixes } from '../core/customerKey/keyIdentifier.ts';
import type { Principal } from '../core/customerKey/ports.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface UserAssignedIdentity extends Required<Principal> {
  readonly id: string;
}

export const isDevelopment = (environment: { AZURE_FUNCTIONS_ENVIRONMENT?: string | undefined }): boolean =>
  environment.AZURE_FUNCTIONS_ENVIRONMENT === 'Development';

/** Returns what is wrong with the value of a setting, or undefined. */
export type Check = (value: string, environment: Environment) => string | undefined;

const isUrl = (text: string, protocol: RegExp, host = /./): boolean => {
  const url = URL.parse(text);
  return url !== null && protocol.test(url.protocol) && host.test(url.hostname);
};

const isAnyGuid = (text: string): boolean => isGuid(text.toLowerCase());
const guid: Check = (value) => (isAnyGuid(value) ? undefined : 'must be a GUID');
const https: Check = (value) => (isUrl(value, /^https:$/) ? undefined : 'must be an address that begins with https://');
const anyText: Check = () => undefined;

const developmentOnly = 'is only allowed when AZURE_FUNCTIONS_ENVIRONMENT is Development';
const isOnThisMachine = (value: string): boolean => isUrl(value, /^http:$/, /^(127\.0\.0\.1|localhost)$/);
const emulator: Check = (value, environment) => {
  if (!isDevelopment(environment)) return developmentOnly;
  return isOnThisMachine(value) ? undefined : 'must be on this machine: http://127.0.0.1 and a port';
};

const topic: Check = (value, environment) => {
  const isAllowed = value.startsWith('https://') || (isDevelopment(environment) && isOnThisMachine(value));
  return isAllowed && URL.parse(value)?.pathname === '/api/events'
    ? undefined
    : `must be the endpoint of a topic, https://<topic>.<region>.eventgrid.azure.net/api/events; http://127.0.0.1 ${developmentOnly}`;
};

/** The endpoints of KEYWARD_ADDITIONAL_TABLES_ENDPOINTS. */
export const endpointsIn = (text = ''): string[] => text.split(/[\s,]+/).filter((one) => one !== '');

const moreTables: Check = (value, environment) => {
  const [first = '', more] = [environment.KEYWARD_TABLES_ENDPOINT, endpointsIn(value)];
  const mayBeConnections = first === '' && isDevelopment(environment);
  if (!mayBeConnections && !more.every((one) => isUrl(one, /^https:$/)))
    return `must be addresses, separated by commas: https://<storage account>.table.core.windows.net; a connection string ${developmentOnly}`;
  const accounts = new Set([first, ...more].map((one) => one.replace(/\/$/, '')));
  return accounts.size === more.length + 1
    ? undefined
    : 'names a storage account twice, or that of KEYWARD_TABLES_ENDPOINT';
};

export const settingChecks = {
  KEYWARD_CLOUD: (value) =>
    Object.hasOwn(keyVaultSuffixes, value) ? undefined : `must be one of ${Object.keys(keyVaultSuffixes).join(', ')}`,
  KEYWARD_TENANT_ID: guid,
  KEYWARD_SYSTEM_KEY: anyText,
  KEYWARD_AT_REST_KEY: anyText,
  KEYWARD_OWNER_TAG: (value) => (value.length <= 256 ? undefined : 'has more than 256 characters'),
  KEYWARD_RECOVERY_KEY: anyText,
  KEYWARD_DRILL_KEY: anyText,
  KEYWARD_IDENTITY_PRINCIPAL_ID: guid,
  KEYWARD_IDENTITY_CLIENT_ID: guid,
  KEYWARD_USER_ASSIGNED_IDENTITIES: (value) =>
    identitiesIn(value) === undefined
      ? 'must be JSON: [{"id":"/subscriptions/…","principalId":"<GUID>","clientId":"<GUID>"}]'
      : undefined,
  KEYWARD_TABLES_ENDPOINT: https,
  KEYWARD_ADDITIONAL_TABLES_ENDPOINTS: moreTables,
  AzureWebJobsStorage: anyText,
  AzureWebJobsStorage__queueServiceUri: https,
  KEYWARD_KEY_VAULT_EMULATOR: emulator,
  KEYWARD_ENTRA_EMULATOR: emulator,
  KEYWARD_ANNOUNCEMENTS_ENDPOINT: topic,
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: (value) =>
    isUrl(value, /^https?:$/) ? undefined : 'must be an address that begins with https:// or http://',
  AZURE_FUNCTIONS_ENVIRONMENT: anyText,
} as const satisfies Readonly<Record<string, Check>>;

export function identitiesIn(text: string): UserAssignedIdentity[] | undefined {
  try {
    const identities = JSON.parse(text) as UserAssignedIdentity[];
    const isIdentity = ({ id, principalId, clientId, ...others }: UserAssignedIdentity) =>
      id.startsWith('/subscriptions/') && [principalId, clientId].every(isAnyGuid) && Object.keys(others).length === 0;
    return Array.isArray(identities) && identities.every(isIdentity) ? identities : undefined;
  } catch {
    // No JSON, or a field that is not a text.
    return undefined;
  }
}
