import type { AccountsDeps } from '../accounts/deps.ts';
import type { RateLimiter } from '../base/rateLimiter.ts';
import type { DataKeyUseStore } from './ports.ts';
import type { StatusKeys } from './statusKeys.ts';

export interface DataKeysDeps extends AccountsDeps {
  readonly dataKeyUse: DataKeyUseStore;
  /** One write in `seenStepMs` for each generation that is in use. */
  readonly seenLimiter: RateLimiter;
  readonly statusKeys: StatusKeys;
}
