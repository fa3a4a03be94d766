/**
 * The embedded stack: everything that Keyward needs, on this machine, with no Azure and no network. The built app runs in the
 * Functions dev host with the real SDK clients; Azurite keeps its tables and queues; the Key Vault emulator and the token issuer
 * answer on the wire.
 */
import { type Azurite, startAzurite } from './azurite.ts';
import { type Host, type LogSink, startHost } from './host/host.ts';
import { type Identity, startIdentity } from './identity/issuer.ts';
import { type KeyVaultControl, keyVaultControl } from './keyvault/controlClient.ts';
import { startKeyVault } from './keyvault/emulator.ts';
import {
  appPrincipalId,
  createOperatorVault,
  directory,
  homeTenantId,
  location,
  operatorSettings,
} from './operator.ts';

export interface StackOptions {
  /** App settings over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where data outlives a restart; absent: in memory. */
  readonly dir?: string;
  readonly port?: number;
  /** A file of ready RSA keys for the emulator, instead of generating them. */
  readonly keyPool?: string;
  readonly timers?: boolean;
  readonly onLog?: LogSink;
}

export interface Stack {
  readonly host: Host;
  readonly azurite: Azurite;
  readonly identity: Identity;
  /** Customers' and the operator's hands on their vaults. */
  readonly keyVault: KeyVaultControl;
  readonly keyVaultUrl: string;
  readonly settings: Readonly<Record<string, string>>;
  /** One customer vault in the home tenant, with the app's grant and its event subscription. */
  createCustomerVault(name: string, more?: Record<string, unknown>): Promise<void>;
  stop(): Promise<void>;
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const part of running.splice(0).reverse()) await part.stop();
  };
  try {
    const [azurite, identity] = await Promise.all([
      startAzurite(options.dir === undefined ? {} : { dir: `${options.dir}/azurite` }),
      startIdentity(directory),
    ]);
    running.push(azurite, identity);
    const emulator = await startKeyVault({
      identityUrl: identity.url,
      timings: { deleteDelayMs: 200, recoverDelayMs: 500, eventRetryMs: [1_000, 2_000, 5_000] },
      ...(options.keyPool === undefined ? {} : { keyPool: options.keyPool }),
    });
    running.push(emulator);
    const keyVault = keyVaultControl(emulator.url);
    await createOperatorVault(keyVault);
    const settings = { ...operatorSettings(azurite, identity, emulator.url), ...options.settings };
    const host = await startHost({
      appDir: new URL('../..', import.meta.url).pathname,
      settings,
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(options.timers === undefined ? {} : { timers: options.timers }),
      ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
    });
    running.push(host);
    const createCustomerVault: Stack['createCustomerVault'] = (name, more) => customerVault(keyVault, host, name, more);
    return { host, azurite, identity, keyVault, keyVaultUrl: emulator.url, settings, createCustomerVault, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function customerVault(
  keyVault: KeyVaultControl,
  host: Host,
  name: string,
  more: Record<string, unknown> = {},
): Promise<void> {
  await keyVault('POST', '/vaults', { name, tenantId: homeTenantId, location, ...more });
  await keyVault('PUT', `/vaults/${name}/grants/${appPrincipalId}`, { permissions: 'cryptoServiceEncryptionUser' });
  const webhook = `${host.url}/runtime/webhooks/EventGrid?functionName=keyEvents&code=${host.keys.eventgrid_extension}`;
  await keyVault('PUT', `/vaults/${name}/eventSubscriptions/keyward`, {
    endpoint: webhook,
    destination: 'azureFunction',
  });
}
