import type { RingsDeps, RingWork } from '../rings/deps.ts';
import type { SecretsDeps } from '../secrets/deps.ts';

export interface ResealDeps
  extends Omit<SecretsDeps, 'vaults' | 'dailyQueue'>,
    Pick<RingsDeps, 'ringStore' | 'operatorKeys'> {
  readonly vaults: SecretsDeps['vaults'] & RingsDeps['vaults'];
  readonly dailyQueue: { send(message: RingWork, delayMs?: number): Promise<void> } & SecretsDeps['dailyQueue'];
}
