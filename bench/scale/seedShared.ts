/** Accounts that share keys, created through the API's own use case. */
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import { location } from '../../src/local/operator.ts';
import type { World } from './world.ts';

const actor = { kind: 'principal', id: 'bench' } as const;

export async function bindAll(accounts: number, keys: number, { service }: World): Promise<void> {
  for (let n = 0; n < accounts; n++) {
    const key = n % keys;
    const keyIdentifier = `https://shared-${key}.vault.azure.net/keys/cmk`;
    const encryption = { type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } } as const;
    await putAccount({ name: `shared-${n}`, input: { owner: `owner-${key}`, location, encryption }, actor }, service);
  }
  await service.overview.settled();
}
