import { expect, test } from 'vitest';
import { stateOf } from '../src/core/accounts/account.ts';
import { defaultPolicy } from '../src/core/base/policy.ts';
import { canaryAccount, drillBounds, runDrill } from '../src/core/drill.ts';
import { appPrincipalId } from '../src/local/operator.ts';
import { useLab } from './lab.ts';

const world = useLab({ settings: { KEYWARD_DRILL_KEY: 'https://keyward-canary.vault.azure.net/keys/cmk' } });
const grant = (permissions: string) =>
  world.lab.keyVault('PUT', `/vaults/keyward-canary/grants/${appPrincipalId}`, { permissions });
/** As the sweep, the queue and the drill's own timer run beside each other in Azure. */
const drill = () => runDrill({ ...world.lab.service, pause: (ms) => world.lab.advance(ms) });

test('the bounds of a drill are the published ones of KeyDisabled', () => {
  expect(drillBounds(defaultPolicy)).toEqual({ refusedMs: 96_000, restoredMs: 38_000 });
});

test('a drill without the right fails; with it, it meets the published bounds; without sweeps it misses them', async () => {
  const { lab } = world;
  const messages = () => lab.log.map(({ message }) => message);
  await lab.vaultWithKey('keyward-canary');
  expect(await drill()).toMatchObject({
    outcome: 'failed',
    error: 'Unavailable CustomerKeyUnreachable: The canary key was not changed (KeyPermissionDenied).',
  });
  expect(messages()).toContain('The revocation drill could not be made');

  await grant('cryptoOfficer');
  const met = await drill();
  expect(met).toMatchObject({ outcome: 'met' });
  expect(met?.refusedMs).toBeGreaterThan(10_000);
  expect(met?.refusedMs).toBeLessThanOrEqual(96_000);
  expect(met?.restoredMs).toBeLessThanOrEqual(38_000);

  const pause = async (ms: number) => lab.clock.set(lab.clock.now() + ms);
  expect(await runDrill({ ...lab.service, requestLook: async () => undefined, pause })).toMatchObject({
    outcome: 'missed',
  });
  expect(messages()).toContain('The revocation drill missed a published bound');
  await lab.advance(60_000);
  expect(stateOf(await lab.view(canaryAccount))).toBe('Enabled');
  const results = (await lab.service.drills.read())?.value ?? [];
  expect(results.map(({ outcome }) => outcome)).toEqual(['missed', 'met', 'failed']);
});
