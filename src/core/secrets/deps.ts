import type { AccountsDeps } from '../accounts/deps.ts';
import type { RateLimiter } from '../base/rateLimiter.ts';
import type { SecretStore } from './ports.ts';

export interface SecretsDeps extends AccountsDeps {
  readonly secrets: SecretStore;
  /** One alarm a minute for each secret that does not open. */
  readonly alarmLimiter: RateLimiter;
}
