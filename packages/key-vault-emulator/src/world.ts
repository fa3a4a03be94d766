/** Everything that the emulator holds, and the one way in which it tells of a change. */
import type { Clock } from './clock.ts';
import type { Delivery } from './delivery.ts';
import type { Caller } from './errors.ts';
import { accessPolicyEvent, type KeyEventName, keyEvent } from './events.ts';
import type { Faults } from './faults.ts';
import type { KeySource } from './keySource.ts';
import type { Key, KeyVersion, RoleAssignment, Timings, Vault } from './model.ts';
import type { RequestLog } from './requestLog.ts';
import { roleAssignmentDeleted, vaultDeleted } from './resourceEvents.ts';
import type { EventSubscription } from './subscriptions.ts';
import type { Vaults } from './vaults.ts';

export type World = {
  clock: Clock;
  timings: Timings;
  vaults: Vaults;
  /** Event subscriptions at the level of an Azure subscription, by its id in lower case. */
  resourceSubscriptions: Map<string, EventSubscription[]>;
  faults: Faults;
  requests: RequestLog;
  delivery: Delivery;
  source: KeySource;
  verify: (vault: Vault, authorization: string | undefined) => Promise<Caller>;
  /** The emulator's own address, once it listens. */
  url: string;
  /** Does what is due by the clock; called every second and after each change of the clock. */
  catchUp: () => Promise<void>;
  /** Aborted by stop(). */
  stopping: AbortSignal;
};

/** A Managed HSM emits nothing: the docs list only vaults as a source. */
function emits(vault: Vault): boolean {
  return vault.kind === 'vault';
}

export function tellKeyEvent(world: World, name: KeyEventName, vault: Vault, key: Key, version: KeyVersion): void {
  if (!emits(vault)) return;
  world.delivery.emit(keyEvent(name, vault, key, version, world.clock.now()), vault.subscriptions);
}

/** Key Vault docs, general/event-grid-overview: only for versions created or updated after subscribing. */
export function tellExpiryEvent(world: World, name: KeyEventName, vault: Vault, key: Key, version: KeyVersion): void {
  if (!emits(vault)) return;
  const concerned = vault.subscriptions.filter((subscription) => version.change > subscription.since);
  world.delivery.emit(keyEvent(name, vault, key, version, world.clock.now()), concerned);
}

export function tellAccessPolicyChanged(world: World, vault: Vault): void {
  if (!emits(vault)) return;
  world.delivery.emit(accessPolicyEvent(vault, world.clock.now()), vault.subscriptions);
}

export function tellVaultDeleted(world: World, vault: Vault): void {
  world.delivery.emit(vaultDeleted(vault, world.clock.now()), resourceSubscribers(world, vault));
}

/** A Managed HSM keeps its role assignments to itself; Azure Resource Manager knows nothing of them. */
export function tellRoleAssignmentsDeleted(world: World, vault: Vault, assignments: RoleAssignment[]): void {
  if (vault.kind === 'managedhsm') return;
  for (const assignment of assignments) {
    const event = roleAssignmentDeleted(vault, assignment, world.clock.now());
    world.delivery.emit(event, resourceSubscribers(world, vault));
  }
}

function resourceSubscribers(world: World, vault: Vault): EventSubscription[] {
  return world.resourceSubscriptions.get(vault.subscriptionId.toLowerCase()) ?? [];
}

export function allSubscriptions(world: World): EventSubscription[] {
  return [
    ...[...world.vaults.values()].flatMap((vault) => vault.subscriptions),
    ...[...world.resourceSubscriptions.values()].flat(),
  ];
}
