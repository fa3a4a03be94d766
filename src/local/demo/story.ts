/** The chapters of the demo: HTTP calls of the service's operator, and changes of customers in their own vaults. */

import { caller } from '../client.ts';
import { operatorToken } from '../operator.ts';
import type { Stack } from '../stack.ts';
import { auditing } from './auditing.ts';
import { dataKeyChapter } from './dataKeys.ts';
import { drillChapter } from './drill.ts';
import type { Narrator } from './narrator.ts';
import { gettingKeys, refusedKeys, storingSecrets } from './onboarding.ts';
import { outage, revocation } from './revocation.ts';
import { operatorRotation, rotation } from './rotation.ts';

export async function story(stack: Stack, narrator: Narrator): Promise<void> {
  const api = caller(stack.host.url, { authorization: `Bearer ${await operatorToken(stack.identity)}` });
  narrator.chapter('An account gets its key');
  await gettingKeys(stack, api, narrator);
  narrator.chapter('A secret under the account key');
  const contentKey = await storingSecrets(api, narrator);
  narrator.chapter('Keyward rejects unusable keys');
  await refusedKeys(stack, api, narrator);
  narrator.chapter('The customer rotates the key');
  await rotation(stack, api, narrator);
  narrator.chapter('The operator rotates the system key');
  await operatorRotation(stack, api, narrator);
  narrator.chapter('The customer revokes the key, and restores it');
  await revocation(stack, api, contentKey, narrator);
  narrator.chapter('Key Vault is down, which is not a revocation');
  await outage(stack, api, narrator);
  narrator.chapter('A service encrypts its own data');
  await dataKeyChapter(stack, api, narrator);
  narrator.chapter('Keyward proves its own bounds');
  await drillChapter(stack, api, narrator);
  narrator.chapter('The auditor reads and verifies the audit');
  await auditing(stack, api, narrator);
}
