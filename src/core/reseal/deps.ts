import type { RingsDeps, RingWork } from '../rings/deps.ts';
import type { SecretsDeps } from '../secrets/deps.ts';
import type { RowRenewal } from './ports.ts';

export interface ResealDeps
  extends Omit<SecretsDeps, 'vaults' | 'dailyQueue'>,
    Pick<RingsDeps, 'ringStore' | 'operatorKeys'> {
  readonly rowRenewal: RowRenewal;
  readonly vaults: SecretsDeps['vaults'] & RingsDeps['vaults'];
  readonly dailyQueue: { send(message: RingWork, delayMs?: number): Promise<void> } & SecretsDeps['dailyQueue'];
}
