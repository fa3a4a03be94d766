import { describe, expect, test } from 'vitest';
import { stateOf, verdictOn } from '../../src/core/accounts/account.ts';
import { refuseUnlessEnabled } from '../../src/core/accounts/gate.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { failure, useLab } from '../lab.ts';

const seconds = 1000;
const world = useLab();

async function statusOf(name: string): Promise<string> {
  const view = await world.lab.view(name);
  return `${stateOf(view)} ${verdictOn(view)?.status} ${verdictOn(view)?.cause ?? ''}`.trim();
}

describe('a key that is disabled', () => {
  test('a disabled key is Suspect after one denied look, blocks its accounts after the second, and restores them automatically', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('disabled-kv');
    await lab.account('disabled', 'contoso', key);
    await lab.keyVault('PATCH', '/vaults/disabled-kv/keys/cmk', { enabled: false });
    await lab.advance(60 * seconds);
    expect(await statusOf('disabled')).toBe('Enabled Suspect KeyDisabled');
    await lab.advance(10 * seconds);
    expect(await statusOf('disabled')).toBe('CustomerKeyInaccessible Inaccessible KeyDisabled');
    await lab.advance(3600 * seconds);
    expect(await statusOf('disabled')).toBe('CustomerKeyInaccessible Inaccessible KeyDisabled');
    await lab.keyVault('PATCH', '/vaults/disabled-kv/keys/cmk', { enabled: true });
    await lab.advance(30 * seconds);
    expect(await statusOf('disabled')).toBe('Enabled Accessible');
  });

  test('INV-6: a disabled key leaves exactly one entry for each verdict in the chain of every affected account', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('shared-kv');
    for (const name of ['shared-a', 'shared-b', 'shared-c']) await lab.account(name, 'contoso', key);
    await lab.keyVault('PATCH', '/vaults/shared-kv/keys/cmk', { enabled: false });
    await lab.advance(120 * seconds);
    await lab.keyVault('PATCH', '/vaults/shared-kv/keys/cmk', { enabled: true });
    await lab.advance(120 * seconds);
    for (const name of ['shared-a', 'shared-b', 'shared-c']) {
      const { record } = await lab.view(name);
      const types = (await accountEntries(name, record.instanceId, lab.service)).map((entry) => entry.type);
      expect(types).toEqual(['AccountCreated', 'CustomerKeyInaccessible', 'CustomerKeyRestored']);
    }
  });
});

describe('INV-3: in the Customer Key Inaccessible state', () => {
  test('INV-3: in the inaccessible state the gate refuses with cause, since and remedy', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('gate-kv');
    await lab.account('gated', 'contoso', key);
    await lab.keyVault('DELETE', '/vaults/gate-kv/keys/cmk');
    await lab.advance(180 * seconds);
    const view = await lab.view('gated');
    const error = await failure(Promise.resolve().then(() => refuseUnlessEnabled(view)));
    expect(error.code).toBe('CustomerKeyInaccessible');
    expect(error.message).toContain('az keyvault key recover --vault-name gate-kv --name cmk');
  });
});

describe('INV-2: no outage changes an account’s state', () => {
  const outages: [string, Record<string, unknown>][] = [
    ['503 with an empty body', { action: 'status', status: 503, body: 'empty' }],
    ['503 with HTML', { action: 'status', status: 503, body: 'html' }],
    ['429 without Retry-After', { action: 'throttled' }],
    ['a reset connection', { action: 'reset' }],
    ['a name server that does not answer', { action: 'network', code: 'EAI_AGAIN' }],
    ['a refused connection', { action: 'network', code: 'ECONNREFUSED' }],
    ['a 403 whose inner code nobody knows', { action: 'forbidden', inner: 'SomethingNew' }],
  ];
  test('INV-2: during ten minutes of each outage a key is Unreachable, its account Enabled, and afterwards Accessible', async () => {
    const { lab } = world;
    const vaults = outages.map((_, index) => `out-${index}`);
    for (const [index, [, fault]] of outages.entries()) {
      const vault = `out-${index}`;
      await lab.account(vault, 'contoso', await lab.vaultWithKey(vault));
      await lab.keyVault('POST', '/faults', { vault, ...fault });
    }
    await lab.advance(10 * seconds);
    for (let minute = 0; minute < 10; minute += 5) {
      await lab.advance(5 * 60 * seconds);
      for (const [index, [title]] of outages.entries())
        expect(`${title}: ${await statusOf(`out-${index}`)}`).toMatch(/: Enabled Unreachable/);
    }
    await lab.keyVault('DELETE', '/faults');
    await lab.advance(60 * seconds);
    for (const vault of vaults) expect(await statusOf(vault)).toBe('Enabled Accessible');
  });

  test('INV-2: when every vault denies because Keyward’s identity is gone, the control look fails too, and no account is blocked', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('ours-kv');
    await lab.account('ours', 'contoso', key);
    await lab.keyVault('POST', '/faults', { vault: 'ours-kv', action: 'forbidden', inner: 'ForbiddenByRbac' });
    await lab.keyVault('POST', '/faults', { vault: 'keyward-operator', action: 'forbidden', inner: 'ForbiddenByRbac' });
    await lab.advance(1800 * seconds);
    expect(await statusOf('ours')).toBe('Enabled Unreachable IdentityUnavailable');
    await lab.keyVault('DELETE', '/faults');
  });
});

describe('INV-5: events select what to look at, never what to do', () => {
  test('INV-5: a thousand events for one key cause one look now and one ten seconds later, and shorten no confirmation', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('storm-kv');
    await lab.account('storm', 'contoso', key);
    await lab.advance(30 * seconds);
    await lab.keyVault('PATCH', '/vaults/storm-kv/keys/cmk', { enabled: false });
    const { wake } = await import('../../src/core/vaultWork/events.ts');
    for (let n = 0; n < 1000; n++) await wake({ vaultHost: 'storm-kv.vault.azure.net', keyName: 'cmk' }, lab.service);
    const before = await unwrapsOf('storm-kv');
    await lab.advance(9 * seconds);
    expect((await unwrapsOf('storm-kv')) - before).toBe(1);
    expect(await statusOf('storm')).toBe('Enabled Suspect KeyDisabled');
    await lab.advance(1 * seconds);
    expect((await unwrapsOf('storm-kv')) - before).toBe(2);
    expect(await statusOf('storm')).toBe('CustomerKeyInaccessible Inaccessible KeyDisabled');
  });
});

async function unwrapsOf(vault: string): Promise<number> {
  const { requests } = await world.lab.keyVault<{ requests: { status: number }[] }>(
    'GET',
    `/requests?vault=${vault}&operation=unwrapkey`,
  );
  return requests.filter(({ status }) => status !== 401).length;
}
