import type { RingsDeps, RingWork } from '../rings/deps.ts';
import type { SecretsDeps } from '../secrets/deps.ts';
import type { RowRenewal } from './ports.ts';

export interface ResealDeps
  extends Omit<SecretsDeps, 'vaults' | 'dailyQueue'>,
    Pick<RingsDeps, 'ringStore' | 'operatorKeys'> {
  readonly rowRenewal: RowRenewal;
  /** `bounds`: names at about equal distances, as of the last daily pass. */
  readonly dailyPass: { read(): Promise<{ readonly bounds: { readonly names: readonly string[] } } | undefined> };
  readonly vaults: SecretsDeps['vaults'] & RingsDeps['vaults'];
  readonly dailyQueue: { send(message: RingWork, delayMs?: number): Promise<void> } & SecretsDeps['dailyQueue'];
}
