import type { WorkQueue } from '../base/workQueue.ts';
import type { SecretsDeps } from '../secrets/deps.ts';
import type {
  CreationMarks,
  DeletionMarks,
  OperationStore,
  OperationWork,
  OrphanedSecretsWork,
  ResourceStore,
} from './ports.ts';

export interface AmsDeps extends SecretsDeps {
  readonly resources: SecretsDeps['resources'] & ResourceStore;
  readonly operations: OperationStore & DeletionMarks & CreationMarks;
  readonly dailyQueue: SecretsDeps['dailyQueue'] & WorkQueue<OperationWork | OrphanedSecretsWork>;
}
