import type { AccountsDeps } from '../accounts/deps.ts';
import type { WorkQueue } from '../base/workQueue.ts';
import type { VaultWork } from '../watch/ports.ts';

export interface RotationDeps extends AccountsDeps {
  readonly queue: WorkQueue<VaultWork>;
}
