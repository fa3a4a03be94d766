/**
 * Ways in which Keyward could stop to see a revocation, in virtual time: how long it takes until it reports the fault,
 * or checks the key all the same. Each fault begins right after a check, because it then stays unseen for longest.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { vaultIdOf } from '../../core/customerKey/binding.ts';
import type { HealthCheck } from '../../core/health.ts';
import type { Service } from '../../core/service.ts';
import { allRanges } from '../../core/vaultWork/ranges.ts';
import { lockOf } from '../../core/vaultWork/sweepRange.ts';
import type { Lab, LogLine } from '../lab/lab.ts';
import { appPrincipalId, operatorVault } from '../operator.ts';
import { damage, rowKinds } from './damage.ts';

interface Seen {
  /** A process whose readiness is read. Its deadlines are in real time, because virtual time passes at once. */
  readonly monitored: Service;
  readonly name: string;
  /** Log lines since the fault. */
  readonly lines: readonly LogLine[];
}

interface Blindness {
  begin(lab: Lab, name: string): Promise<unknown>;
  isSeen(seen: Seen): Promise<boolean> | boolean;
  readonly isTimerStopped?: true;
  /** Afterwards other scenarios can use the laboratory. */
  end?(lab: Lab): Promise<unknown>;
}

const [second, day] = [1_000, 86_400_000];
const logged =
  (message: string) =>
  ({ lines }: Seen) =>
    lines.some((line) => line.message === message);

/** A part of the readiness answer, which a monitor outside the service reads. */
const isUnready = async ({ monitored }: Seen, name: HealthCheck['name']): Promise<boolean> =>
  (await monitored.healthChecks.find((check) => check.name === name)?.run()) !== undefined;

export const blindnesses: Readonly<Record<string, Blindness>> = {
  'timer stopped': {
    begin: async () => undefined,
    isTimerStopped: true,
    isSeen: (seen) => isUnready(seen, 'keyChecks'),
  },
  'row deleted': {
    async begin(lab, vault) {
      const bindingId = await bindingOf(lab, vault);
      const row = rowKinds['binding of a vault']?.row({ vault, bindingId, first: noAccount });
      if (row !== undefined) await damage(lab, row, () => undefined);
    },
    isSeen: logged('Keys are missing in the sweep'),
  },
  'worker row stuck': {
    async begin({ service }, vault) {
      const locks = [vaultIdOf(hostOf(vault)), ...allRanges(service.policy.sweepRanges).map(lockOf)];
      for (const lock of locks) await service.vaults.beginWork(lock, day);
    },
    isSeen: ({ lines, name }) =>
      lines.some(({ message, fields }) => message === 'Checked a key' && fields.account === name),
  },
  'permission at the customer’s vault lost': {
    begin: ({ keyVault }, vault) => keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}`),
    isSeen: logged('The status of a customer key changed'),
  },
  'permission at the operator’s vault lost': {
    begin: ({ keyVault }) => keyVault('DELETE', `/vaults/${operatorVault}/grants/${appPrincipalId}`),
    isSeen: (seen) => isUnready(seen, 'operatorVault'),
    end: ({ keyVault }) =>
      keyVault('PUT', `/vaults/${operatorVault}/grants/${appPrincipalId}`, {
        permissions: 'cryptoServiceEncryptionUser',
      }),
  },
};

const noAccount = { name: '', instanceId: '', version: '' };
const hostOf = (vault: string) => `${vault}.vault.azure.net`;

async function bindingOf(lab: Lab, name: string): Promise<string> {
  const { encryption } = (await lab.view(name)).record;
  return encryption.type === 'CustomerKey' ? encryption.binding.id : '';
}

const giveUpMs = 600 * second;

/** Seconds of the laboratory's clock. */
export async function secondsUntilSeen(lab: Lab, { begin, isSeen, isTimerStopped, end }: Blindness, name: string) {
  await lab.account(name, name, await lab.vaultWithKey(name));
  await lab.advance(61 * second);
  lab.log.length = 0;
  const monitored = await lab.another({ pause: (ms) => sleep(ms, undefined, { ref: false }) });
  while (!logged('Checked a key')({ monitored, name, lines: lab.log })) await lab.advance(second);
  const from = lab.log.length;
  const beganAt = lab.clock.now();
  await begin(lab, name);
  while (!(await isSeen({ monitored, name, lines: lab.log.slice(from) })) && lab.clock.now() - beganAt < giveUpMs)
    await lab.advance(second, isTimerStopped ? 'withoutTimer' : undefined);
  await end?.(lab);
  return (lab.clock.now() - beganAt) / second;
}
