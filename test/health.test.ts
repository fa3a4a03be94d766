import { expect, test } from 'vitest';
import { countKeys } from '../src/core/health.ts';
import { useLab } from './lab.ts';

const world = useLab();

test('keys are counted by their status, each once for any number of accounts', async () => {
  const { lab } = world;
  const [shared, disabled] = [await lab.vaultWithKey('shared-kv'), await lab.vaultWithKey('disabled-kv')];
  for (const name of ['shared-1', 'shared-2', 'shared-3']) await lab.account(name, 'contoso', shared);
  await lab.account('disabled', 'fabrikam', disabled);
  await lab.account('without', 'contoso');
  const seen = async () => (await countKeys(lab.service))?.byStatus;
  await lab.advance(60_000);
  expect(await seen()).toEqual({ Accessible: 2, Suspect: 0, Inaccessible: 0, Unreachable: 0, Unknown: 0 });
  await lab.keyVault('PATCH', '/vaults/disabled-kv/keys/cmk', { enabled: false });
  await lab.advance(61_000);
  expect(await seen()).toEqual({ Accessible: 1, Suspect: 1, Inaccessible: 0, Unreachable: 0, Unknown: 0 });
  await lab.advance(60_000);
  expect(await seen()).toEqual({ Accessible: 1, Suspect: 0, Inaccessible: 1, Unreachable: 0, Unknown: 0 });
});
