import type { WorkQueue } from '../base/workQueue.ts';
import type { SecretsDeps } from '../secrets/deps.ts';
import type { OperationStore, OperationWork, OrphanedSecretsWork, ResourceStore } from './ports.ts';

export interface AmsDeps extends SecretsDeps {
  readonly resources: ResourceStore;
  readonly operations: OperationStore;
  readonly dailyQueue: SecretsDeps['dailyQueue'] & WorkQueue<OperationWork | OrphanedSecretsWork>;
}
