/** The state and the parts of the emulator, and the events that it emits. */
import type { Clock } from './clock.ts';
import type { Delivery } from './delivery.ts';
import type { Caller } from './errors.ts';
import { accessPolicyEvent, type KeyEventName, keyEvent } from './events.ts';
import type { Faults } from './faults.ts';
import type { KeySource } from './keySource.ts';
import type { Key, KeyVersion, Network, RoleAssignment, Timings, Vault } from './model.ts';
import type { RequestLog } from './requestLog.ts';
import { roleAssignmentDeleted, vaultDeleted } from './resourceEvents.ts';
import type { EventSubscription } from './subscriptions.ts';
import type { Vaults } from './vaults.ts';

export type World = {
  clock: Clock;
  timings: Timings;
  vaults: Vaults;
  /** Event subscriptions of an Azure subscription, by its id in lower case. */
  resourceSubscriptions: Map<string, EventSubscription[]>;
  faults: Faults;
  /** How names resolve for the client. */
  network: Network;
  requests: RequestLog;
  delivery: Delivery;
  source: KeySource;
  verify: (vault: Vault, authorization: string | undefined) => Promise<Caller>;
  /** The emulator's address, once it listens. */
  url: string;
  /** Does everything that is due by the clock; runs every second and after each change of the clock. */
  catchUp: () => Promise<void>;
  /** Aborted by stop(). */
  stopping: AbortSignal;
};

/** A Managed HSM emits no events: the docs list only vaults as a source. */
function emits(vault: Vault): boolean {
  return vault.kind === 'vault';
}

export function emitKeyEvent(world: World, name: KeyEventName, vault: Vault, key: Key, version: KeyVersion): void {
  if (!emits(vault)) return;
  world.delivery.emit(keyEvent(name, vault, key, version, world.clock.now()), vault.subscriptions);
}

/** Key Vault docs, general/event-grid-overview: only for versions created or updated after the subscription. */
export function emitExpiryEvent(world: World, name: KeyEventName, vault: Vault, key: Key, version: KeyVersion): void {
  if (!emits(vault)) return;
  const subscribers = vault.subscriptions.filter((subscription) => version.change > subscription.since);
  world.delivery.emit(keyEvent(name, vault, key, version, world.clock.now()), subscribers);
}

export function emitAccessPolicyChanged(world: World, vault: Vault): void {
  if (!emits(vault)) return;
  world.delivery.emit(accessPolicyEvent(vault, world.clock.now()), vault.subscriptions);
}

export function emitVaultDeleted(world: World, vault: Vault): void {
  world.delivery.emit(vaultDeleted(vault, world.clock.now()), resourceSubscribers(world, vault));
}

/** A Managed HSM stores its role assignments locally, so Azure Resource Manager emits nothing for them. */
export function emitRoleAssignmentsDeleted(world: World, vault: Vault, assignments: RoleAssignment[]): void {
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
