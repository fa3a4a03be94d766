/** The parts that tests with the client of Azure Media Services share: a stack that it can call, and its client. */
import type { AzureMediaServices } from '@azure/arm-mediaservices';
import { beforeAll } from 'vitest';
import { type AmsClientOptions, amsClient, amsSettings, registerAmsAudience } from '../../src/local/amsClient.ts';
import { useStack, type World } from '../app/support.ts';

export const subscriptionId = '5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01';
export const group = 'contoso-media';

export interface AmsWorld extends World {
  /** The operator's own account, in the subscription above. */
  readonly ams: AzureMediaServices;
  clientOf(subscription: string, options?: AmsClientOptions): AzureMediaServices;
}

export function useAms(settings: Readonly<Record<string, string>> = {}): AmsWorld {
  const world = useStack({ settings: { ...amsSettings, ...settings } });
  let ams: AzureMediaServices | undefined;
  const clientOf = (subscription: string, options?: AmsClientOptions) => amsClient(world.stack, subscription, options);
  beforeAll(async () => {
    await registerAmsAudience(world.stack);
    ams = clientOf(subscriptionId);
  });
  return {
    get stack() {
      return world.stack;
    },
    get api() {
      return world.api;
    },
    records: world.records,
    get ams() {
      if (ams === undefined) throw new Error('The stack starts when the tests begin.');
      return ams;
    },
    clientOf,
  };
}

export const accountPath = (name: string, subscription = subscriptionId, resourceGroup = group): string =>
  `/api/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.Media/mediaservices/${name}`;

/** Short: the client waits between two polls of an operation as long as the service says. */
export const poll = { updateIntervalInMs: 20 };

// biome-ignore lint/suspicious/noExplicitAny: every error of the client, as its user sees it.
export async function thrown(call: Promise<unknown>): Promise<any> {
  const outcome = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome) return outcome.error;
  throw new Error(`It went through: ${JSON.stringify(outcome.value)}`);
}

export async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of pages) found.push(one);
  return found;
}
