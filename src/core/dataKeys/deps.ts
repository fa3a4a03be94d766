import type { AccountsDeps } from '../accounts/deps.ts';
import type { RateLimiter } from '../base/rateLimiter.ts';
import type { DataKeyUseStore } from './ports.ts';
import type { StatusKeys } from './statusKeys.ts';

export interface DataKeysDeps extends AccountsDeps {
  readonly dataKeyUse: DataKeyUseStore;
  /** Admits one write in `seenStepMs` for each generation in use. */
  readonly seenLimiter: RateLimiter;
  readonly statusKeys: StatusKeys;
}
