/** The chapter of the revocation drill: Keyward revokes a canary key of the operator and measures its own bounds. */
import type { Caller } from '../client.ts';
import { appPrincipalId, homeTenantId, location } from '../operator.ts';
import type { Stack } from '../stack.ts';
import { expected, same } from './checks.ts';
import type { Narrator } from './narrator.ts';

const vault = 'keyward-canary';
export const drillSettings = { KEYWARD_DRILL_KEY: `https://${vault}.vault.azure.net/keys/canary` };

/** The canary key in a vault of its own, on which the app is *Key Vault Crypto Officer*. */
export async function prepareCanary({ keyVault }: Stack): Promise<void> {
  await keyVault('POST', '/vaults', { name: vault, tenantId: homeTenantId, location });
  await keyVault('POST', `/vaults/${vault}/keys/canary`, { kty: 'RSA', size: 2048 });
  await keyVault('PUT', `/vaults/${vault}/grants/${appPrincipalId}`, { permissions: 'cryptoOfficer' });
}

export async function drillChapter(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  await step({
    title:
      'Keyward disables the canary key, waits for the refusal, enables it, and waits until the account works again',
    run: async () => {
      await prepareCanary(stack);
      await stack.host.invokeTimer('drill');
      const { body } = await expected(200, api('GET', '/api/operator/drills'));
      const { bounds, value } = body;
      const [last] = value;
      same('result of the drill', last.outcome, 'met');
      return [
        `refused after ${last.refusedSeconds.toFixed(1)} s (bound ${bounds.refusedSeconds} s), restored after ${last.restoredSeconds.toFixed(1)} s (bound ${bounds.restoredSeconds} s)`,
      ];
    },
  });
}
