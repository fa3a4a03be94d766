/** App settings, read once and checked: a bad value names its setting and what it should be. */
import { defined } from '../core/base/defined.ts';
import { defaultPolicy, type Policy, policyNames, readPolicy } from '../core/base/policy.ts';
import type { KeyVaultIdentity } from '../core/customerKey/binding.ts';
import { type Cloud, parseKeyIdentifier } from '../core/customerKey/keyIdentifier.ts';
import type { Principal } from '../core/customerKey/ports.ts';
import {
  type Check,
  type Environment,
  identitiesIn,
  settingChecks,
  type UserAssignedIdentity,
} from './settingChecks.ts';

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

const checks: Readonly<Record<SettingName, Check>> = settingChecks;
const settingNames = Object.keys(checks) as SettingName[];

const required = ['KEYWARD_TENANT_ID', 'KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY'] as const;

/** Each storage service has an address of its own, or is in AzureWebJobsStorage. */
const storageServices = [
  ['KEYWARD_TABLES_ENDPOINT', 'tables need'],
  ['AzureWebJobsStorage__queueServiceUri', 'queue needs'],
] as const;

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
