import type { AccountsDeps } from '../accounts/deps.ts';
import type { CallerBudget } from '../base/callerBudget.ts';
import type { RateLimiter } from '../base/rateLimiter.ts';
import type { SecretStore } from './ports.ts';

export interface SecretsDeps extends AccountsDeps {
  readonly secrets: AccountsDeps['secrets'] & SecretStore;
  /** Admits one alarm per minute for each secret that cannot be decrypted. */
  readonly alarmLimiter: RateLimiter;
  /** Calls that give out values, for each caller. */
  readonly revealBudget: CallerBudget;
}
