/**
 * What the benches of data keys share: the embedded stack, an account under a customer key, and a client that counts
 * its requests.
 */
import { KeywardClient } from '@keyward/client';
import { type Caller, caller } from '../../src/local/client.ts';
import { location } from '../../src/local/operator.ts';
import { type Stack, startStack } from '../../src/local/stack.ts';
import { keyPool } from '../seed.ts';

export const account = 'bench';
export const vault = 'bench-data-keys';

export interface DataKeyBench {
  readonly stack: Stack;
  readonly api: Caller;
  readonly client: KeywardClient;
  /** Requests that the client has sent. */
  requests(): number;
}

export async function withDataKeys(
  work: (bench: DataKeyBench) => Promise<void>,
  { timers = false, properties = {} }: { timers?: boolean; properties?: object } = {},
): Promise<void> {
  const stack = await startStack({ keyPool, timers, onLog: () => undefined });
  try {
    const key = stack.host.keys.function;
    const api = caller(stack.host.url, { 'x-functions-key': key });
    await stack.createCustomerVault(vault);
    await stack.keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048 });
    const keyVaultProperties = { keyIdentifier: `https://${vault}.vault.azure.net/keys/cmk` };
    const encryption = { type: 'CustomerKey', keyVaultProperties };
    const body = { location, properties: { owner: 'contoso', encryption, ...properties } };
    const { status } = await api('PUT', `/api/accounts/${account}`, body);
    if (status !== 201) throw new Error(`The account was not created: ${status}.`);
    let count = 0;
    const counting: typeof fetch = (...call) => {
      count += 1;
      return fetch(...call);
    };
    const client = new KeywardClient(stack.host.url, { key }, { fetch: counting });
    await work({ stack, api, client, requests: () => count });
  } finally {
    await stack.stop();
  }
}
