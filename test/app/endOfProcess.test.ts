/** The platform ends a process while calls run: Microsoft's worker then waits for the appTerminate hooks only. */
import { expect, test } from 'vitest';
import { until } from '../../src/local/client.ts';
import type { CloudEvent } from '../../src/local/topic/topic.ts';
import { arrived } from '../announcements/support.ts';
import { got, requestsTo, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const published: CloudEvent[] = [];
const world = useStack({ onPublished: (event) => published.push(event) });

test('a process that the platform ends answers its three calls in flight and publishes their audit entries', async () => {
  const { stack, api } = world;
  const vault = 'ending-vault';
  const key = await vaultWithKey(world, vault);
  const slow = { vault, operation: 'unwrapkey', action: 'delay', delayMs: 700 };
  await stack.keyVault('POST', '/faults', slow);

  const names = ['ending1', 'ending2', 'ending3'];
  const calls = Promise.all(
    names.map((name) => got(201, api('PUT', `/api/accounts/${name}`, withCustomerKey('contoso', key)))),
  );
  const vaultAnswers = () => requestsTo(world, vault, 'get');
  await until('the vault has answered the three calls', vaultAnswers, (seen) => seen.length >= names.length);
  await stack.host.stop({ forced: true });

  await calls;
  const created = arrived(published).filter(({ type }) => type === 'Keyward.AccountCreated');
  expect(created.map(({ subject }) => subject).toSorted()).toEqual(names.map((name) => `/accounts/${name}`));
});
