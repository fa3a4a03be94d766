/**
 * Shared parts of the tests of the built app: one stack for a test file, a caller, and the customer's changes of vaults
 * and keys.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { type ChildHost, spawnHost } from '../../packages/functions-host/src/child.ts';
import type { LogRecord } from '../../packages/functions-host/src/host.ts';
import { type Answer, type Caller, caller, until } from '../../src/local/client.ts';
import { location, operatorToken } from '../../src/local/operator.ts';
import { type Stack, type StackOptions, startStack } from '../../src/local/stack.ts';

export const appDir = fileURLToPath(new URL('../..', import.meta.url));
const keyPool = fileURLToPath(new URL('../fixtures/rsaKeys.json', import.meta.url));
/** ARM's name of the property with a customer key: Azure Media Services, `KeyVaultProperties`. */
export const keyIdentifierTarget = 'properties.encryption.keyVaultProperties.keyIdentifier';

export interface World {
  readonly stack: Stack;
  /** With a function key, or a token of the operator where the app needs one. */
  readonly api: Caller;
  readonly records: readonly LogRecord[];
}

export function useStack(options: StackOptions = {}): World {
  let stack: Stack | undefined;
  let identification: Record<string, string> = {};
  const records: LogRecord[] = [];
  beforeAll(async () => {
    // One range: a sweep of these few vaults then costs one message.
    const settings = { KEYWARD_SWEEP_RANGES: '1', ...options.settings };
    const given = { keyPool, timers: false, onLog: (record: LogRecord) => void records.push(record) };
    stack = await startStack({ ...given, ...options, settings });
    identification =
      stack.settings.KEYWARD_AUTH === 'entra'
        ? { authorization: `Bearer ${await operatorToken(stack.identity)}` }
        : { 'x-functions-key': stack.host.keys.function };
  });
  afterAll(() => stack?.stop());
  const opened = () => {
    if (stack === undefined) throw new Error('The stack starts when the tests begin.');
    return stack;
  };
  return {
    get stack() {
      return opened();
    },
    get api() {
      return caller(opened().host.url, identification);
    },
    records,
  };
}

/** Another instance of the app, in a process of its own, on the same storage. */
export function spawnInstance(
  { stack }: World,
  settings: Readonly<Record<string, string>> = stack.settings,
): Promise<ChildHost> {
  return spawnHost({ appDir, settings: { ...settings }, timers: false }, () => undefined);
}

export const newAccount = (owner = 'contoso') => ({ location, properties: { owner } });

export const customerKey = (keyIdentifier: string) => ({
  properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } } },
});

export const withCustomerKey = (owner: string, keyIdentifier: string) => ({
  location,
  properties: { owner, ...customerKey(keyIdentifier).properties },
});

/** Creates a customer's vault with an RSA key `cmk`. Returns the versionless identifier. */
export async function vaultWithKey(
  { stack }: World,
  name: string,
  vault: Record<string, unknown> = {},
  key: Record<string, unknown> = {},
): Promise<string> {
  await stack.createCustomerVault(name, vault);
  await stack.keyVault('POST', `/vaults/${name}/keys/cmk`, { kty: 'RSA', size: 2048, ...key });
  return `https://${name}.vault.azure.net/keys/cmk`;
}

/** Creates a next version of `cmk`. Returns the version. */
export async function rotate({ stack }: World, vault: string): Promise<string> {
  const made = await stack.keyVault<{ key: { kid: string } }>('POST', `/vaults/${vault}/keys/cmk/rotate`);
  return made.key.kid.split('/').at(-1) ?? '';
}

export interface SeenRequest {
  readonly at: string;
  readonly operation: string;
  readonly status: number | string;
}

/** The requests to a vault, oldest first. */
export async function requestsTo({ stack }: World, vault: string, operation?: string): Promise<SeenRequest[]> {
  const query = operation === undefined ? '' : `&operation=${operation}`;
  return (await stack.keyVault<{ requests: SeenRequest[] }>('GET', `/requests?vault=${vault}${query}`)).requests;
}

export const totalRequests = async ({ stack }: World): Promise<number> =>
  (await stack.keyVault<{ total: number }>('GET', '/requests')).total;

export async function got(status: number, answer: Promise<Answer>): Promise<Answer> {
  const { status: seen, headers, body } = await answer;
  expect({ status: seen, body }).toEqual({ status, body });
  return { status: seen, headers, body };
}

/**
 * Checks that the response is this error, in the form of Azure Resource Manager (RPC contract, "Error response
 * content").
 */
export async function refused(status: number, code: string, answer: Promise<Answer>): Promise<Answer> {
  const seen = await answer;
  expect({ status: seen.status, code: seen.body?.error?.code, message: seen.body?.error?.message }).toEqual({
    status,
    code,
    message: expect.stringMatching(/\S/),
  });
  expect(Object.keys(seen.body)).toEqual(['error']);
  return seen;
}

// biome-ignore lint/suspicious/noExplicitAny: the account's JSON, as a caller sees it.
export const accountOf = async (api: Caller, name: string): Promise<any> =>
  (await got(200, api('GET', `/api/accounts/${name}`))).body;

export const versionOf = async (api: Caller, name: string): Promise<string> =>
  (await accountOf(api, name)).properties.encryption.keyVaultProperties.currentKeyIdentifier.split('/').at(-1);

const sweeps = new WeakMap<Stack, Promise<void>>();

/**
 * Sweeps, and returns when workers have taken the sweep's messages. Tests that sweep at the same time share one sweep.
 * Otherwise a machine that is slower than the tests would collect more messages with every sweep.
 */
export function sweepOnce({ stack }: Pick<World, 'stack'>): Promise<void> {
  const running = sweeps.get(stack) ?? sweepUntilTaken(stack).finally(() => sweeps.delete(stack));
  sweeps.set(stack, running);
  return running;
}

async function sweepUntilTaken({ host }: Stack): Promise<void> {
  await host.invokeTimer('sweep');
  await host.pollQueue('vaultWork');
}

/** Sweeps until the account is as expected. */
export function sweptUntil(
  world: World,
  name: string,
  // biome-ignore lint/suspicious/noExplicitAny: the account's JSON, as a caller sees it.
  isIt: (account: any) => boolean,
) {
  const ask = async () => {
    await sweepOnce(world);
    return accountOf(world.api, name);
  };
  return until(`account ${name}`, ask, isIt);
}
