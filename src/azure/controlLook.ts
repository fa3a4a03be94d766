/**
 * The control look: whether an identity of this service works at all. It unwraps with the operator's own system key, so
 * that Keyward distinguishes the denial of a customer's vault from a fault of its own.
 */
import type { Cause } from '../core/base/causes.ts';
import { Unavailable } from '../core/base/errors.ts';
import { inTime } from '../core/base/inTime.ts';
import { isFederated } from '../core/customerKey/binding.ts';
import type { KeyRef } from '../core/customerKey/ports.ts';
import { isWrappedBy, versionIn } from '../core/rings/kek.ts';
import type { RingRow } from '../core/rings/storedRing.ts';
import type { Service } from '../core/service.ts';
import type { Credentials } from './credentials.ts';

export const systemAssigned = { useSystemAssignedIdentity: true } as const;

interface ControlDeps extends Pick<Service, 'keyVault' | 'operatorKeys' | 'ringStore'> {
  readonly lastWrapping: () => RingRow | undefined;
}

/**
 * The newest wrapping of the system ring by the system key. While its row is damaged or lost, the one that the process
 * read last shows as well whether an identity works, so a damaged row hides no denial.
 */
export function withSystemWrapping({ ringStore, operatorKeys }: Pick<Service, 'ringStore' | 'operatorKeys'>) {
  let last: RingRow | undefined;
  const load: Service['ringStore']['load'] = async () => {
    const stored = await ringStore.load();
    const ours = stored.wrappings.system.filter((one) => isWrappedBy(one, operatorKeys.system));
    last = ours.toSorted((a, b) => b.createdAt - a.createdAt)[0] ?? last;
    return stored;
  };
  return { ringStore: { ...ringStore, load }, lastWrapping: () => last };
}

/**
 * The same identity unwraps with the operator's system key. An application has no grant there: for it the app's own
 * identity unwraps, and the token exchange must work in the home tenant.
 */
export async function controlLook(
  { identity }: Pick<KeyRef, 'identity' | 'tenantId'>,
  ports: ControlDeps & Pick<Credentials, 'exchangesAtHome'>,
): Promise<'good' | 'failed'> {
  const [failure, speaks] = await Promise.all([
    systemKeyFailure(isFederated(identity) ? systemAssigned : identity, ports),
    isFederated(identity) ? ports.exchangesAtHome(identity) : true,
  ]);
  return failure === undefined && speaks ? 'good' : 'failed';
}

/**
 * The identity unwraps the newest wrapping of the system ring by the system key. Returns the cause of a failure, or
 * undefined. Before a ring exists there is nothing to unwrap; readiness then reads the description of the key.
 */
export async function systemKeyFailure(
  identity: KeyRef['identity'],
  { keyVault, operatorKeys, ringStore, lastWrapping }: ControlDeps,
  withoutRing?: 'keyWillDo',
): Promise<Cause | undefined> {
  const key = { ...operatorKeys.system, identity };
  // As stored: a process needs no rings for this.
  await ringStore.load();
  const row = lastWrapping();
  if (row === undefined && withoutRing === undefined) return 'UnknownResponse';
  const answer =
    row === undefined ? await keyVault.describe(key) : await keyVault.unwrap(key, versionIn(row), row.wrapped);
  if (!answer.ok) return answer.cause;
  if (answer.value instanceof Uint8Array) answer.value.fill(0);
  return undefined;
}

/** Slow tables must not count as a failure of the vault, so the read ends well before the vault's own deadline. */
export function withShortRingRead<Ports extends Pick<Service, 'ringStore' | 'pause'>>(ports: Ports): Ports {
  const load: Service['ringStore']['load'] = async () => {
    const rings = await inTime(ports.ringStore.load(), ports, 1_000);
    if (rings === undefined) throw new Unavailable('StorageUnavailable', 'The rings could not be read in time.', 5);
    return rings;
  };
  return { ...ports, ringStore: { ...ports.ringStore, load } };
}
