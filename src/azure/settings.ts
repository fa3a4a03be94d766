/** App settings, read once and checked: a bad value names its setting and what it should be. */
import * as z from 'zod';
import { defined } from '../core/base/defined.ts';
import { defaultPolicy, type Policy, policyNames, policySchema } from '../core/base/policy.ts';
import type { KeyVaultIdentity } from '../core/customerKey/binding.ts';
import { keyVaultSuffixes, parseKeyIdentifier } from '../core/customerKey/keyIdentifier.ts';
import type { Principal } from '../core/customerKey/ports.ts';

const cloud = z.enum(Object.keys(keyVaultSuffixes) as [keyof typeof keyVaultSuffixes]).default('public');

const onThisMachine = z.url({ protocol: /^http$/, hostname: /^(127\.0\.0\.1|localhost)$/ });
const developmentOnly = 'is only allowed when AZURE_FUNCTIONS_ENVIRONMENT is Development';
export const isDevelopment = (settings: { AZURE_FUNCTIONS_ENVIRONMENT?: string | undefined }): boolean =>
  settings.AZURE_FUNCTIONS_ENVIRONMENT === 'Development';

const tablesEndpoint = z.url({ protocol: /^https$/ });

const isTopic = (url: string, mayBeHere: boolean): boolean =>
  URL.parse(url)?.pathname === '/api/events' &&
  (url.startsWith('https://') || (mayBeHere && onThisMachine.safeParse(url).success));

const userAssignedIdentity = z.strictObject({
  id: z.string().startsWith('/subscriptions/'),
  principalId: z.guid(),
  clientId: z.guid(),
});

function parseJson(text: string, context: z.core.$RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON: [{"id":"<resource id>","principalId":…,"clientId":…}]' });
    return z.NEVER;
  }
}

const schema = z
  .object({
    /** The cloud whose Key Vault suffixes are allowed: public, usgov or china. */
    KEYWARD_CLOUD: cloud,
    /** The tenant of the operator's own vault and of customers' vaults in the same tenant. */
    KEYWARD_TENANT_ID: z.guid(),
    /** RSA key in the operator's vault that wraps the system ring; versionless. */
    KEYWARD_SYSTEM_KEY: z.string(),
    /** Another RSA key of the operator: wraps the at-rest ring and the audit ring; versionless. */
    KEYWARD_AT_REST_KEY: z.string(),
    /** The tag of a customer key that must hold the owner of the account: proof that the owner wants it used here. */
    KEYWARD_OWNER_TAG: z.string().max(256).optional(),
    /** RSA key in a second vault of the operator, which wraps every KEK too; versionless. */
    KEYWARD_RECOVERY_KEY: z.string().optional(),
    /** RSA key of the operator in a vault of its own, which the revocation drill disables every hour; versionless. */
    KEYWARD_DRILL_KEY: z.string().optional(),
    /** The app's system-assigned identity, as the deployment knows it. */
    KEYWARD_IDENTITY_PRINCIPAL_ID: z.guid().optional(),
    KEYWARD_IDENTITY_CLIENT_ID: z.guid().optional(),
    /** The user-assigned identities of the app: JSON. */
    KEYWARD_USER_ASSIGNED_IDENTITIES: z.string().transform(parseJson).pipe(z.array(userAssignedIdentity)).optional(),
    /** The tables, used by managed identity. Without it they are in AzureWebJobsStorage. */
    KEYWARD_TABLES_ENDPOINT: tablesEndpoint.optional(),
    /** The tables of more storage accounts, separated by commas, in the order in which they were added. */
    KEYWARD_ADDITIONAL_TABLES_ENDPOINTS: z
      .string()
      .transform((text) => text.split(/[\s,]+/).filter((one) => one !== ''))
      .optional(),
    /**
     * Queues, and in development tables: a connection string, or a service address that is used by managed identity.
     */
    AzureWebJobsStorage: z.string().optional(),
    AzureWebJobsStorage__queueServiceUri: z.url({ protocol: /^https$/ }).optional(),
    /** Development only: where the Key Vault emulator listens. */
    KEYWARD_KEY_VAULT_EMULATOR: onThisMachine.optional(),
    /** Development only: where the token issuer listens that replaces Microsoft Entra ID. */
    KEYWARD_ENTRA_EMULATOR: onThisMachine.optional(),
    /** Topic to which Keyward publishes every audit entry; http on this machine in development only. */
    KEYWARD_ANNOUNCEMENTS_ENDPOINT: z.string().optional(),
    /** Where a collector takes metrics over OTLP, with its path: protobuf over HTTP. */
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
    AZURE_FUNCTIONS_ENVIRONMENT: z.string().optional(),
  })
  .refine(({ KEYWARD_KEY_VAULT_EMULATOR: url, ...s }) => url === undefined || isDevelopment(s), {
    path: ['KEYWARD_KEY_VAULT_EMULATOR'],
    message: developmentOnly,
  })
  .refine(({ KEYWARD_ENTRA_EMULATOR: url, ...s }) => url === undefined || isDevelopment(s), {
    path: ['KEYWARD_ENTRA_EMULATOR'],
    message: developmentOnly,
  })
  .refine(({ KEYWARD_ANNOUNCEMENTS_ENDPOINT: url, ...s }) => url === undefined || isTopic(url, isDevelopment(s)), {
    path: ['KEYWARD_ANNOUNCEMENTS_ENDPOINT'],
    message: `must be the endpoint of a topic, https://<topic>.<region>.eventgrid.azure.net/api/events; http://127.0.0.1 ${developmentOnly}`,
  })
  .refine(
    ({ KEYWARD_ADDITIONAL_TABLES_ENDPOINTS: more = [], KEYWARD_TABLES_ENDPOINT: first, ...s }) =>
      first === undefined && isDevelopment(s) ? true : more.every((one) => tablesEndpoint.safeParse(one).success),
    {
      path: ['KEYWARD_ADDITIONAL_TABLES_ENDPOINTS'],
      message:
        'must be addresses, separated by commas: https://<storage account>.table.core.windows.net; connection strings are only allowed when AZURE_FUNCTIONS_ENVIRONMENT is Development and KEYWARD_TABLES_ENDPOINT is not set',
    },
  )
  .refine(
    ({ KEYWARD_ADDITIONAL_TABLES_ENDPOINTS: more = [], KEYWARD_TABLES_ENDPOINT: first = '' }) =>
      new Set([first, ...more].map((one) => one.replace(/\/$/, ''))).size === more.length + 1,
    {
      path: ['KEYWARD_ADDITIONAL_TABLES_ENDPOINTS'],
      message: 'names a storage account twice, or the one of KEYWARD_TABLES_ENDPOINT. Remove it here',
    },
  )
  .refine((s) => s.AzureWebJobsStorage !== undefined || s.KEYWARD_TABLES_ENDPOINT !== undefined, {
    path: ['KEYWARD_TABLES_ENDPOINT'],
    message: 'is missing: the tables need a service address (or AzureWebJobsStorage a connection string)',
  })
  .refine((s) => s.AzureWebJobsStorage !== undefined || s.AzureWebJobsStorage__queueServiceUri !== undefined, {
    path: ['AzureWebJobsStorage__queueServiceUri'],
    message: 'is missing: the queue needs a service address (or AzureWebJobsStorage a connection string)',
  });

export type Settings = z.infer<typeof schema> & { readonly policy: Policy };

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
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const settings = checked(schema, environment, (name) => name);
  const numbers = policyNames.flatMap((name) => {
    const value = environment[settingOfPolicy(name)];
    return value === undefined || value === '' ? [] : [[name, value]];
  });
  const policy =
    numbers.length === 0 ? defaultPolicy : checked(policySchema(), Object.fromEntries(numbers), settingOfPolicy);
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
  return { ...settings, policy };
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

function sharesVault(settings: z.infer<typeof schema>): boolean {
  if (settings.KEYWARD_RECOVERY_KEY === undefined) return false;
  const [system, atRest, recovery] = operatorKeyNames.slice(0, 3).map((name) => identifierIn(name, settings).vaultHost);
  return recovery === system || recovery === atRest;
}

function sameKey(settings: z.infer<typeof schema>): boolean {
  const [one, two] = [identifierIn('KEYWARD_SYSTEM_KEY', settings), identifierIn('KEYWARD_AT_REST_KEY', settings)];
  return one.vaultHost === two.vaultHost && one.keyName === two.keyName;
}

export function identifierIn(name: (typeof operatorKeyNames)[number], settings: z.infer<typeof schema>) {
  try {
    return parseKeyIdentifier(settings[name] ?? '', settings.KEYWARD_CLOUD);
  } catch (error) {
    throw new SettingsError([name], `${name}: ${error instanceof Error ? error.message : 'is not a key identifier'}`);
  }
}

function checked<T>(shape: z.ZodType<T>, input: unknown, nameOf: (field: string) => string): T {
  // Settings are read once a process: compiling the schema to code costs more than it saves.
  const result = shape.safeParse(input, { jitless: true });
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => ({ setting: nameOf(String(path[0])), message }));
  const settings = [...new Set(problems.map(({ setting }) => setting))];
  const described = problems.map(({ setting, message }) => `${setting}: ${message}`);
  throw new SettingsError(settings, `Settings are not valid. ${described.join('; ')}`);
}
