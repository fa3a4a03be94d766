import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStage, raw, type Stage } from './helpers.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());

const zone = 'privatelink.vaultcore.azure.net';
const lookUp = (host: string) => stage.control('GET', `/names/${host}`);
const networkErrorOf = async (host: string) =>
  (await raw(stage.url, { host, path: '/keys' })).headers['x-emulator-network-error'];

it('a vault’s public name is an alias, and no alias once the vault is deleted', async () => {
  const { name, host } = await stage.vault();
  expect(await lookUp(host)).toEqual({ alias: 'data-prod-weu.vaultcore.azure.net' });
  await stage.control('DELETE', `/vaults/${name}`);
  expect(await lookUp(host)).toEqual({ code: 'ENOTFOUND' });
  expect(await lookUp('never-was.vault.azure.net')).toEqual({ code: 'ENOTFOUND' });
});

it('a linked private zone without a record hides a vault with a private endpoint, and its public alias stays', async () => {
  const [hidden, recorded, open] = [await stage.vault(), await stage.vault(), await stage.vault()];
  await stage.control('PUT', `/private-zones/${zone}`, { records: [recorded.name] });
  for (const { name } of [hidden, recorded])
    expect(await stage.control('PUT', `/vaults/${name}/private-endpoint`)).toEqual({ zone });
  const seen = () => Promise.all([hidden, recorded, open].map(({ host }) => networkErrorOf(host)));
  expect(await seen()).toEqual(['ENOTFOUND', undefined, undefined]);
  expect(await lookUp(hidden.host)).toEqual({ alias: `${hidden.name}.${zone}` });

  await stage.control('PUT', `/private-zones/${zone}`, { records: [], fallbackToInternet: true });
  expect(await seen()).toEqual([undefined, undefined, undefined]);
  await stage.control('PUT', `/private-zones/${zone}`, {});
  expect(await seen()).toEqual(['ENOTFOUND', 'ENOTFOUND', undefined]);
  await stage.control('DELETE', `/private-zones/${zone}`);
  expect(await seen()).toEqual([undefined, undefined, undefined]);
});

it('a network fault for all vaults meets queries of names too; one for a single vault does not', async () => {
  const { name, host } = await stage.vault();
  const one = await stage.control('POST', '/faults', { vault: name, action: 'network', code: 'ENOTFOUND' });
  expect(await lookUp(host)).toHaveProperty('alias');
  const all = await stage.control('POST', '/faults', { action: 'network', code: 'EAI_AGAIN' });
  expect(await lookUp(host)).toEqual({ code: 'EAI_AGAIN' });
  for (const fault of [one, all]) await stage.control('DELETE', `/faults/${(fault as { id: string }).id}`);
});
