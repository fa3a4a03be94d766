/** App settings, read once and checked: a bad value names its setting and what it should be. */
import { defined } from '../core/base/defined.ts';
import { isGuid } from '../core/base/names.ts';
import { defaultPolicy, type Policy, policyNames, readPolicy } from '../core/base/policy.ts';
import type { KeyVaultIdentity } from '../core/customerKey/binding.ts';
import { type Cloud, keyVaultSuffixes, parseKeyIdentifier } from '../core/customerKey/keyIdentifier.ts';
import type { Principal } from '../core/customerKey/ports.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface UserAssignedIdentity extends Required<Principal> {
  readonly id: string;
}

export interface Settings {
  /** The cloud whose Key Vault suffixes are allowed: public, usgov or china. */
  readonly KEYWARD_CLOUD: Cloud;
  /** The tenant of the operator's own vault and of customers' vaults in the same tenant. */
  readonly KEYWARD_TENANT_ID: string;
  /** RSA key in the operator's vault that wraps the system ring; versionless. */
  readonly KEYWARD_SYSTEM_KEY: string;
  /** Another RSA key of the operator: wraps the at-rest ring and the audit ring; versionless. */
  readonly KEYWARD_AT_REST_KEY: string;
  /** The tag of a customer key that must hold the owner of the account: proof that the owner wants it used here. */
  readonly KEYWARD_OWNER_TAG?: string;
  /** RSA key in a second vault of the operator, which wraps every KEK too; versionless. */
  readonly KEYWARD_RECOVERY_KEY?: string;
  /** RSA key of the operator in a vault of its own, which the revocation drill disables every hour; versionless. */
  readonly KEYWARD_DRILL_KEY?: string;
  /** The app's system-assigned identity, as the deployment knows it. */
  readonly KEYWARD_IDENTITY_PRINCIPAL_ID?: string;
  readonly KEYWARD_IDENTITY_CLIENT_ID?: string;
  /** The user-assigned identities of the app: JSON. */
  readonly KEYWARD_USER_ASSIGNED_IDENTITIES?: readonly UserAssignedIdentity[];
  /** The tables, used by managed identity. Without it they are in AzureWebJobsStorage. */
  readonly KEYWARD_TABLES_ENDPOINT?: string;
  /** The tables of more storage accounts, separated by commas, in the order in which they were added. */
  readonly KEYWARD_ADDITIONAL_TABLES_ENDPOINTS?: string;
  /** Queues, and in development tables: a connection string, or a service address that is used by managed identity. */
  readonly AzureWebJobsStorage?: string;
  readonly AzureWebJobsStorage__queueServiceUri?: string;
  /** Development only: where the Key Vault emulator listens. */
  readonly KEYWARD_KEY_VAULT_EMULATOR?: string;
  /** Development only: where the token issuer listens that replaces Microsoft Entra ID. */
  readonly KEYWARD_ENTRA_EMULATOR?: string;
  /** Topic to which Keyward publishes every audit entry; http on this machine in development only. */
  readonly KEYWARD_ANNOUNCEMENTS_ENDPOINT?: string;
  /** Where a collector takes metrics over OTLP, with its path: protobuf over HTTP. */
  readonly OTEL_EXPORTER_OTLP_METRICS_ENDPOINT?: string;
  readonly AZURE_FUNCTIONS_ENVIRONMENT?: string;
  readonly policy: Policy;
}

type SettingName = Exclude<keyof Settings, 'policy'>;

export const isDevelopment = (environment: { AZURE_FUNCTIONS_ENVIRONMENT?: string | undefined }): boolean =>
  environment.AZURE_FUNCTIONS_ENVIRONMENT === 'Development';

/** Returns what is wrong with the value of a setting, or undefined. */
type Check = (value: string, environment: Environment) => string | undefined;

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

const checks: Readonly<Record<SettingName, Check>> = {
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
};
const settingNames = Object.keys(checks) as SettingName[];

const required = ['KEYWARD_TENANT_ID', 'KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY'] as const;

/** Each storage service has an address of its own, or is in AzureWebJobsStorage. */
const storageServices = [
  ['KEYWARD_TABLES_ENDPOINT', 'tables need'],
  ['AzureWebJobsStorage__queueServiceUri', 'queue needs'],
] as const;

function identitiesIn(text: string): UserAssignedIdentity[] | undefined {
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

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  /** The settings at fault. */
  readonly settings: readonly string[];

  constructor(settings: readonly string[], message: string) {
    super(message);
    this.settings = settings;
  }
}

/** `lookIntervalHealthySeconds` is set by `KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS`. */
export const settingOfPolicy = (name: string): string =>
  `KEYWARD_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** @throws SettingsError that names every setting at fault. */
export function readSettings(environment: Environment): Settings {
  const values = checked(environment);
  const { KEYWARD_USER_ASSIGNED_IDENTITIES: identities, ...texts } = values;
  const settings = {
    ...(texts as Omit<Settings, 'policy' | 'KEYWARD_USER_ASSIGNED_IDENTITIES'>),
    KEYWARD_CLOUD: (values.KEYWARD_CLOUD ?? 'public') as Cloud,
    ...defined({ KEYWARD_USER_ASSIGNED_IDENTITIES: identities === undefined ? undefined : identitiesIn(identities) }),
    policy: policyIn(environment),
  };
  for (const name of operatorKeyNames) {
    if (settings[name] === undefined) continue;
    const pinned = identifierIn(name, settings).version !== undefined;
    if (pinned)
      throw new SettingsError(
        [name],
        `${name} names a version. Remove the version: Keyward always uses the newest one.`,
      );
  }
  if (sameKey(settings))
    throw new SettingsError(
      ['KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY'],
      'KEYWARD_SYSTEM_KEY and KEYWARD_AT_REST_KEY name the same key. The two layers need two keys.',
    );
  if (sharesVault(settings))
    throw new SettingsError(
      ['KEYWARD_RECOVERY_KEY'],
      'KEYWARD_RECOVERY_KEY is in the vault of KEYWARD_SYSTEM_KEY or KEYWARD_AT_REST_KEY. Name a key in another vault.',
    );
  return settings;
}

const operatorKeyNames = [
  'KEYWARD_SYSTEM_KEY',
  'KEYWARD_AT_REST_KEY',
  'KEYWARD_RECOVERY_KEY',
  'KEYWARD_DRILL_KEY',
] as const;

/** The app's managed identities, with the principals that the deployment knows. */
export function ownIdentitiesIn(settings: Settings): { identity: KeyVaultIdentity; principal?: Principal }[] {
  const { KEYWARD_IDENTITY_PRINCIPAL_ID: principalId, KEYWARD_IDENTITY_CLIENT_ID: clientId } = settings;
  const principal = principalId === undefined ? {} : { principal: lower({ principalId, ...defined({ clientId }) }) };
  const assigned = settings.KEYWARD_USER_ASSIGNED_IDENTITIES ?? [];
  return [
    { identity: { useSystemAssignedIdentity: true }, ...principal },
    ...assigned.map(({ id, ...named }) => ({
      identity: { useSystemAssignedIdentity: false as const, userAssignedIdentity: id },
      principal: lower(named),
    })),
  ];
}

const lower = ({ principalId, clientId }: Principal): Principal => ({
  principalId: principalId.toLowerCase(),
  ...defined({ clientId: clientId?.toLowerCase() }),
});

function sharesVault(settings: Settings): boolean {
  if (settings.KEYWARD_RECOVERY_KEY === undefined) return false;
  const [system, atRest, recovery] = operatorKeyNames.slice(0, 3).map((name) => identifierIn(name, settings).vaultHost);
  return recovery === system || recovery === atRest;
}

function sameKey(settings: Settings): boolean {
  const [one, two] = [identifierIn('KEYWARD_SYSTEM_KEY', settings), identifierIn('KEYWARD_AT_REST_KEY', settings)];
  return one.vaultHost === two.vaultHost && one.keyName === two.keyName;
}

export function identifierIn(name: (typeof operatorKeyNames)[number], settings: Settings) {
  try {
    return parseKeyIdentifier(settings[name] ?? '', settings.KEYWARD_CLOUD);
  } catch (error) {
    throw new SettingsError([name], `${name}: ${error instanceof Error ? error.message : 'is not a key identifier'}`);
  }
}

/** The settings that are there. @throws SettingsError */
function checked(environment: Environment): Partial<Record<SettingName, string>> {
  const values = Object.fromEntries(
    settingNames.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
  const missing = required.filter((name) => values[name] === undefined);
  const wrong = Object.entries(values).flatMap(([name, value]): Problem[] => {
    const message = checks[name as SettingName](value, environment);
    return message === undefined ? [] : [[name, message]];
  });
  const withoutStorage = values.AzureWebJobsStorage === undefined ? storageServices : [];
  const unreachable = withoutStorage.filter(([name]) => values[name] === undefined);
  const problems = [
    ...missing.map((name): Problem => [name, 'is missing']),
    ...wrong,
    ...unreachable.map(
      ([name, needs]): Problem => [
        name,
        `is missing: the ${needs} a service address (or AzureWebJobsStorage a connection string)`,
      ],
    ),
  ];
  if (problems.length > 0) throw refusalOf(problems);
  return values;
}

/** @throws SettingsError */
function policyIn(environment: Environment): Policy {
  const given = policyNames.flatMap((name) => {
    const value = environment[settingOfPolicy(name)];
    return value === undefined || value === '' ? [] : [[name, value]];
  });
  if (given.length === 0) return defaultPolicy;
  const policy = readPolicy(Object.fromEntries(given));
  if (!Array.isArray(policy)) return policy;
  throw refusalOf(policy.map(({ name, message }): Problem => [settingOfPolicy(name), message]));
}

type Problem = readonly [setting: string, message: string];

function refusalOf(problems: readonly Problem[]): SettingsError {
  const settings = [...new Set(problems.map(([setting]) => setting))];
  const described = problems.map(([setting, message]) => `${setting}: ${message}`);
  return new SettingsError(settings, `Settings are not valid. ${described.join('; ')}`);
}
