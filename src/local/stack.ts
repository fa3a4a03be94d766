/**
 * The embedded stack: everything that Keyward needs on this machine, without Azure and without a network. The built app
 * runs in the Functions host with the real SDK clients. Azurite stores its tables and queues. The Key Vault emulator
 * and the Entra emulator answer on the wire.
 */

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Identity, startIdentity } from '../../packages/entra-emulator/src/issuer.ts';
import { type Host, type LogSink, startHost } from '../../packages/functions-host/src/host.ts';
import { type KeyVaultControl, keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { startKeyVault } from '../../packages/key-vault-emulator/src/emulator.ts';
import { defined } from '../core/base/defined.ts';
import { type Azurite, startAzurite } from './azurite.ts';
import {
  apiAudience,
  createGrantedVault,
  createOperatorVault,
  directory,
  localHostKeys,
  operatorSettings,
  registerConsole,
  subscriptionId,
  topicOf,
} from './operator.ts';
import { type ConnectProxy, startProxy } from './proxy/proxy.ts';
import { managementAudiences } from './proxy/targets.ts';
import { type CloudEvent, startTopic, type Topic } from './topic/topic.ts';

export interface StackOptions {
  /** The folder of the built app; absent: this project's own. */
  readonly appDir?: string;
  /** App settings over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The folder that stores the data and makes the function keys permanent; absent: in memory. */
  readonly dir?: string;
  /** Deletes what `dir` holds. */
  readonly fresh?: boolean;
  readonly port?: number;
  /** A file of ready RSA keys for the emulator, instead of generating them. */
  readonly keyPool?: string;
  readonly timers?: boolean;
  /** Starts a topic for announcements, and receives each event there. Absent: nothing is announced. */
  readonly onPublished?: (event: CloudEvent) => void;
  /**
   * Starts the proxy for unmodified clients, whose calls need bearer tokens. `dir` stores its certificate authority.
   */
  readonly proxy?: { readonly dir: string; readonly port?: number };
  /** How long `stop` waits for running work. */
  readonly drainMs?: number;
  readonly onLog?: LogSink;
}

export interface Stack {
  readonly host: Host;
  readonly azurite: Azurite;
  readonly identity: Identity;
  /** The calls of customers and the operator to their vaults. */
  readonly keyVault: KeyVaultControl;
  readonly keyVaultUrl: string;
  readonly topic?: Topic;
  readonly proxy?: ConnectProxy;
  readonly settings: Readonly<Record<string, string>>;
  /** One customer vault in the home tenant, with the app's grant and its event subscription. */
  createCustomerVault(name: string, more?: Record<string, unknown>): Promise<void>;
  /**
   * Sends a vault's events to this host. A vault from disk sends them to an earlier host, whose address may have
   * changed.
   */
  subscribeToVault(name: string): Promise<void>;
  /** Sends the deletion events of vaults and role assignments to this host. */
  subscribeToResources(): Promise<void>;
  stop(): Promise<void>;
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const part of running.splice(0).reverse()) await part.stop();
  };
  try {
    const identity = await startIdentity(directory);
    running.push(identity);
    const emulator = await startKeyVault({
      identityUrl: identity.url,
      timings: { deleteDelayMs: 200, recoverDelayMs: 500, eventRetryMs: [1_000, 2_000, 5_000] },
      ...given(options, 'keyPool', 'dir', 'fresh'),
    });
    running.push(emulator);
    const azurite = await startAzurite(
      options.dir === undefined ? {} : { dir: await tables(options, emulator.dataId) },
    );
    running.push(azurite);
    const keyVault = keyVaultControl(emulator.url);
    await createOperatorVault(keyVault);
    const { onPublished } = options;
    const topic = onPublished === undefined ? undefined : await startTopic({ ...topicOf(identity), onPublished });
    if (topic !== undefined) running.push(topic);
    const announcing = topic === undefined ? {} : { KEYWARD_ANNOUNCEMENTS_ENDPOINT: topic.endpoint };
    const settings = {
      ...operatorSettings(azurite.connectionString, identity, emulator.url),
      ...announcing,
      ...(options.proxy === undefined ? {} : managementSettings),
      ...options.settings,
    };
    if (options.proxy !== undefined) {
      const audiences = [apiAudience, ...managementAudiences];
      await keyVaultControl(identity.url)('PUT', '/api-audiences', { audiences });
    }
    const host = await startHost({
      appDir: options.appDir ?? fileURLToPath(new URL('../..', import.meta.url)),
      settings,
      ...(options.dir === undefined ? {} : { keys: localHostKeys }),
      ...given(options, 'port', 'timers', 'drainMs', 'onLog'),
    });
    running.push(host);
    await registerConsole(identity, host.url);
    const urls = { appUrl: host.url, identityUrl: identity.url, keyVaultUrl: emulator.url };
    const proxy = options.proxy === undefined ? undefined : await startProxy({ ...options.proxy, ...urls });
    if (proxy !== undefined) running.push(proxy);
    const actions = vaultActions(keyVault, host);
    const optional = defined({ topic, proxy });
    return { host, azurite, identity, keyVault, keyVaultUrl: emulator.url, ...optional, settings, ...actions, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The unmodified client of Azure Media Services requests its tokens for Azure Resource Manager. */
const managementSettings = {
  KEYWARD_AUTH: 'entra',
  KEYWARD_AUTH_AUDIENCE: [apiAudience, ...managementAudiences].join(' '),
};

/**
 * The folder of the tables. Keys of the emulator wrap the data in them, so the folder stores the id of the emulator's
 * file of keys and refuses another file.
 */
async function tables({ dir = '', fresh }: StackOptions, keyVaultDataId = ''): Promise<string> {
  const folder = join(dir, 'azurite');
  const note = join(folder, 'keyvault-data-id');
  if (fresh) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const owner = await readFile(note, 'utf8').catch(() => undefined);
  if (owner === undefined) await writeFile(note, keyVaultDataId);
  else if (owner !== keyVaultDataId)
    throw new Error(
      `${folder} holds accounts whose keys are not in ${join(dir, 'keyvault.json')}. Restore that file, or delete all data with --fresh.`,
    );
  return folder;
}

/** The actions of customers and the operator on a vault that need several calls. */
function vaultActions(
  keyVault: KeyVaultControl,
  host: Host,
): Pick<Stack, 'createCustomerVault' | 'subscribeToVault' | 'subscribeToResources'> {
  const subscribe = (scope: string, functionName: string) =>
    keyVault<void>('PUT', `${scope}/eventSubscriptions/keyward`, {
      endpoint: `${host.url}/runtime/webhooks/EventGrid?functionName=${functionName}&code=${host.keys.eventgrid_extension}`,
      destination: 'azureFunction',
    });
  const subscribeToVault = (name: string) => subscribe(`/vaults/${name}`, 'keyEvents');
  return {
    subscribeToVault,
    subscribeToResources: () => subscribe(`/subscriptions/${subscriptionId}`, 'resourceEvents'),
    async createCustomerVault(name, more = {}) {
      await createGrantedVault(name, keyVault, more);
      await subscribeToVault(name);
    },
  };
}

/** Picks the given options of these names; an absent option must not become `undefined`. */
function given<K extends keyof StackOptions>(options: StackOptions, ...names: K[]): Pick<StackOptions, K> {
  return Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  ) as Pick<StackOptions, K>;
}
