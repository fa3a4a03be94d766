/** Faults of the revocation drill. */
import { runDrill } from '../../../src/core/drill.ts';
import { appPrincipalId } from '../../../src/local/operator.ts';
import type { Faults } from '../replay.ts';

const canary = 'r-canary';
export const canaryKey = `https://${canary}.vault.azure.net/keys/cmk`;

export const drillFaults: Faults = {
  'the app has no right to disable the canary key, and later no sweep checks it': {
    rules: ['drill-not-made', 'drill-missed'],
    async play(_, lab) {
      await lab.vaultWithKey(canary);
      const pause = async () => lab.clock.set(lab.clock.now() + 20_000);
      const service = { ...lab.service, requestLook: async () => undefined, pause };
      await runDrill(service);
      await lab.keyVault('PUT', `/vaults/${canary}/grants/${appPrincipalId}`, { permissions: 'cryptoOfficer' });
      await runDrill(service);
    },
  },
};
