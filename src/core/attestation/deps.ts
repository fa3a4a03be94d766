import type { AccountsDeps } from '../accounts/deps.ts';
import type { StatusKeys } from '../dataKeys/statusKeys.ts';
import type { ChainDirectory, CheckpointStore, VerificationStore, VerifiedHeads } from './ports.ts';

export interface AttestationDeps extends AccountsDeps {
  readonly statusKeys: Pick<StatusKeys, 'sign'>;
  readonly chainDirectory: ChainDirectory;
  readonly verifications: VerificationStore & VerifiedHeads & CheckpointStore;
}

/** A wake-up: the stored state says what is due (INV-15). */
export interface VerificationWork {
  readonly visit: 'chains';
}
