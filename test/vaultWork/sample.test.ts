import { expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { sweepRange } from '../../src/core/vaultWork/sweepRange.ts';
import { sampleMs } from '../../src/core/watch/sample.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';

const minuteMs = 60_000;
const whole = { range: 0, of: 1 } as const;
const world = useLab({ settings: { KEYWARD_SWEEP_RANGES: '1' } });
let vaults = 0;

/** A key with accounts, after enough sweeps that it is healthy, followed, and has a sample. */
async function sampledKey(accounts: number) {
  const { lab } = world;
  vaults += 1;
  const vault = `sample-${vaults}`;
  const key = await lab.vaultWithKey(vault);
  const names = Array.from({ length: accounts }, (_, n) => `${vault}-${n}`);
  for (const name of names) await lab.account(name, 'contoso', key);
  await lab.advance(5 * minuteMs);
  const [id = ''] = await lab.service.vaults.bindings(vaultIdOf(`${vault}.vault.azure.net`));
  return { vault, names, id };
}

const sampleOf = async (id: string) => (await world.lab.service.bindings.readWatchWithSample(id)).sample?.value;

test('a sweep looks at a healthy key by one query and one write, and by one unwrap', async () => {
  const { lab } = world;
  const { id, vault } = await sampledKey(3);
  // The next version check is four minutes away.
  const watch = (await lab.service.bindings.readWatch(id))?.value;
  expect(watch?.nextVersionCheckAt).toBeGreaterThan(lab.clock.now() + minuteMs);
  const unwraps = async () =>
    (await lab.keyVault<{ requests: unknown[] }>('GET', `/requests?vault=${vault}`)).requests.length;
  const before = { requests: lab.tableRequests(), unwraps: await unwraps() };
  lab.clock.set(lab.clock.now() + minuteMs);
  await sweepRange(whole, lab.service);
  // A range with vaults costs five, and once a minute a process reads the rings (docs/costs.md).
  expect(lab.tableRequests() - before.requests).toBe(5 + 1 + 2);
  expect((await unwraps()) - before.unwraps).toBe(1);
});

test('a deleted account leaves no copy of its wrapped key beside the watch, and the next sweep looks with another account', async () => {
  const { lab } = world;
  const { id, names } = await sampledKey(2);
  const first = await sampleOf(id);
  expect(names).toContain(first?.name);
  await deleteAccount(first?.name ?? '', {}, tester, lab.service);
  expect(await sampleOf(id)).toBeUndefined();
  await lab.advance(minuteMs);
  expect((await sampleOf(id))?.name).toBe(names.find((name) => name !== first?.name));
});

test('a look that read an account before its deletion stores no copy of its wrapped key afterwards', async () => {
  const { lab } = world;
  const { id, names } = await sampledKey(1);
  await lab.service.bindings.removeSample(id);
  lab.clock.set(lab.clock.now() + minuteMs);
  const { keyVault } = lab.service;
  // The account is deleted while the vault answers the look.
  const unwrap: typeof keyVault.unwrap = async (...requested) => {
    const answer = await keyVault.unwrap(...requested);
    await deleteAccount(names[0] ?? '', {}, tester, lab.service);
    return answer;
  };
  await sweepRange(whole, { ...lab.service, keyVault: { ...keyVault, unwrap } });
  expect(await sampleOf(id)).toBeUndefined();
});

test('an account that leaves the key leaves no copy of its wrapped key beside the watch', async () => {
  const { lab } = world;
  const { id, names, vault } = await sampledKey(1);
  await lab.keyVault('POST', `/vaults/${vault}/keys/other`, { kty: 'RSA', size: 2048, fixture: 1 });
  await lab.move(names[0] ?? '', `https://${vault}.vault.azure.net/keys/other`);
  expect(await sampleOf(id)).toBeUndefined();
});

test('the looks of an account are in its audit from the moment that it requests this, also when looks used its copy', async () => {
  const { lab } = world;
  const { id, names } = await sampledKey(1);
  const [name = ''] = names;
  await patchAccount({ name, input: { auditKeyUse: true }, actor: tester }, lab.service);
  expect(await sampleOf(id)).toBeUndefined();
  await lab.advance(minuteMs);
  const { record } = await lab.view(name);
  const { rows } = await lab.service.accounts.audit(name, record.instanceId, { limit: 100 });
  expect(JSON.stringify(rows)).toContain('"purpose":"look"');
  expect(await sampleOf(id)).toBeUndefined();
});

test('a copy that does not open, or is half an hour old, is replaced by a look that reads the record', async () => {
  const { lab } = world;
  const { id, names } = await sampledKey(1);
  const good = await sampleOf(id);
  const [row] = (await lab.service.bindings.accounts(id, { limit: 1 })).rows;
  if (good === undefined || row === undefined) throw new Error('The key has no sample.');
  await lab.service.bindings.saveSample(id, { ...good, accountKeyGeneration: 7 }, row);
  await lab.advance(minuteMs);
  expect(await sampleOf(id)).toEqual(good);
  expect((await lab.view(names[0] ?? '')).watch?.versions[good.version]?.status).toBe('Accessible');
  await lab.advance(sampleMs + minuteMs);
  const { sample } = await lab.service.bindings.readWatchWithSample(id);
  expect(sample?.ageMs).toBeLessThan(sampleMs);
});

test('after a rotation looks use a copy under the new version, and the old version leaves the watch', async () => {
  const { lab } = world;
  const { id, vault } = await sampledKey(2);
  const before = await sampleOf(id);
  await lab.keyVault('POST', `/vaults/${vault}/keys/cmk/rotate`);
  await lab.advance(10 * minuteMs);
  const after = await sampleOf(id);
  const watch = (await lab.service.bindings.readWatch(id))?.value;
  expect(after?.version).not.toBe(before?.version);
  expect(Object.keys(watch?.versions ?? {})).toEqual([after?.version]);
});
