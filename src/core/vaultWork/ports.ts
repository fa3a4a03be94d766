/** What the vaultWork capability needs from outside. */
import type { EpochMs } from '../base/time.ts';

/** When the last sweep ended: shows everybody whether the timer runs. */
export interface SweepMark {
  read(): Promise<EpochMs | undefined>;
  write(at: EpochMs): Promise<void>;
}
