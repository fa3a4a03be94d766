import { expect, test } from 'vitest';
import { bindingOf } from '../../src/core/customerKey/binding.ts';
import { parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import { judge, observe } from '../../src/core/watch/judge.ts';
import { ensureWatched } from '../../src/core/watch/updateWatch.ts';
import type { Transition, Watch } from '../../src/core/watch/watch.ts';
import { homeTenantId } from '../../src/local/operator.ts';
import { aLook, aVerdict, aWatch, deniedCauses, designPolicy, start } from '../builders.ts';
import { failure, useLab } from '../lab.ts';

const world = useLab();
/** docs/storage.md, "Limits". */
const limit = 100;

const versionOf = (n: number) => String(n).padStart(32, '0');

/** A verdict with all of its possible properties. */
const fullVerdict = deniedCauses.reduce(
  (verdict, cause, i) => judge(verdict, { ...aLook(10 * (i + 1), cause, 'good') }, designPolicy),
  aVerdict(),
);

test('INV-2: a watch with the largest number of versions, each with every denial, and of transitions fits into its row', async () => {
  const { service } = world.lab;
  const binding = bindingOf(parseKeyIdentifier('https://largest.vault.azure.net/keys/cmk', 'public'), homeTenantId, {
    useSystemAssignedIdentity: true,
  });
  const numbers = Array.from({ length: 128 }, (_, n) => n);
  const requestId = '0a0a0a0a-0000-4000-8000-000000000001';
  const versions = Object.fromEntries(
    numbers.map((n) => [versionOf(n), { ...fullVerdict, keyVaultRequestId: requestId }]),
  );
  const transitions = Array.from({ length: 300 }, (_, n): Transition => {
    const at = { epoch: n + 1, version: versionOf(n % 128), at: start, keyReleasedBy: start };
    return { ...at, to: 'CustomerKeyInaccessible', cause: 'IdentityNotAuthorized', keyVaultRequestId: requestId };
  });
  const expiries = Object.fromEntries(
    numbers.map((n) => [versionOf(n), { readAt: start, expiresOn: start, warning: 'KeyExpired' as const }]),
  );
  const superseded = Object.fromEntries(numbers.map((n) => [versionOf(n), start]));
  const watch: Watch = aWatch({ binding, versions, transitions, expiries, superseded, epoch: 300 });
  await service.bindings.createWatch(watch, []);
  expect((await service.bindings.readWatch(binding.id))?.value).toEqual(watch);
});

test('INV-2: a watch with the largest number of transitions takes one more, and keeps the newest of each version', () => {
  const most = 300;
  const versions = { [versionOf(1)]: aVerdict(), [versionOf(2)]: aVerdict({ status: 'Inaccessible' }) };
  const transition = (n: number): Transition => ({
    epoch: n,
    version: versionOf(n === 1 ? 2 : 1),
    at: start,
    to: n % 2 === 1 ? 'CustomerKeyInaccessible' : 'Enabled',
  });
  const transitions = Array.from({ length: most }, (_, n) => transition(n + 1));
  const watch = aWatch({ versions, transitions, epoch: most });
  const first = { ...aLook(600, 'KeyDisabled', 'good'), bindingId: watch.binding.id, version: versionOf(1) };
  const second = { ...aLook(620, 'KeyDisabled', 'good'), bindingId: watch.binding.id, version: versionOf(1) };
  const after = observe(observe(watch, first, designPolicy), second, designPolicy);
  expect(after.epoch).toBe(most + 1);
  expect(after.transitions).toHaveLength(most);
  // The oldest that is not the present state of its version is gone.
  expect(after.transitions.map(({ epoch }) => epoch)).toEqual([
    1,
    ...Array.from({ length: most - 1 }, (_, n) => n + 3),
  ]);
});

test('INV-2: a PUT that would add one version more than the limit is a conflict, and a re-wrap to one more is not', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('limit');
  const { record } = await lab.account('first', 'limit', key);
  if (record.encryption.type !== 'CustomerKey') throw new Error('The account has a customer key.');
  const { id } = record.encryption.binding;
  const stored = (await lab.service.bindings.readWatch(id)) ?? expect.fail();
  const others = Array.from({ length: limit - 1 }, (_, n) => [versionOf(n), aVerdict()] as const);
  const versions = { ...stored.value.versions, ...Object.fromEntries(others) };
  await lab.service.bindings.saveWatch({ ...stored, value: { ...stored.value, versions } }, []);

  await lab.keyVault('POST', '/vaults/limit/keys/cmk', { kty: 'RSA', size: 2048, fixture: 1 });
  const oneMore = await failure(lab.account('one-more', 'limit', key));
  expect(oneMore).toMatchObject({ code: 'Conflict', message: expect.stringContaining(`${limit} versions`) });
  const proof = { at: lab.clock.now(), isRotation: true } as const;
  const rotated = await ensureWatched(stored.value.binding, versionOf(limit), proof, lab.service);
  expect(Object.keys(rotated.versions)).toHaveLength(limit + 1);
});
