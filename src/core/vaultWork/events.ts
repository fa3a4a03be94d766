/**
 * Events select the key to look at, never what to do (INV-5). The reader is as tolerant as real events require (names
 * in any case, numbers as text, missing fields). It trusts nothing in an event: an event can only name a vault that is
 * already watched.
 */

import { fold } from '../base/names.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import type { Cloud } from '../customerKey/keyIdentifier.ts';
import { isKeyVaultHost, keyVaultSuffixes } from '../customerKey/keyIdentifier.ts';
import type { VaultWorkDeps } from './deps.ts';

/** What an event targets: a vault, and the key when it names one. */
export interface EventTarget {
  readonly vaultHost: string;
  readonly keyName?: string;
  /** The id of the event for the audit, when it has the form of an id. */
  readonly eventId?: string;
}

/** Either schema: Event Grid's `eventType`, `topic`, or CloudEvents' `type`, `source`. */
export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Undefined when the message is not an event. It is then acknowledged and logged, because a redelivery would be the
 * same.
 */
export function readEvent(input: unknown): ReceivedEvent | undefined {
  const fields = foldKeys(input);
  if (fields === undefined) return undefined;
  const text = (...names: string[]) =>
    names.map((name) => fields[name]).find((value) => typeof value === 'string') ?? '';
  const type = text('eventtype', 'type') as string;
  const source = text('topic', 'source') as string;
  if (type === '') return undefined;
  const subject = text('subject') as string;
  return { id: text('id') as string, type, source, subject, data: foldKeys(fields.data) ?? {} };
}

/** Names trimmed and in lower case: published samples of Key Vault events differ in both. Text values are trimmed. */
function foldKeys(input: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return undefined;
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [fold(name.trim()), trimmed(value)]));
}

export const trimmed = (value: unknown): unknown => (typeof value === 'string' ? value.trim() : value);

const keyEventTypes = new Set(
  ['KeyNewVersionCreated', 'KeyNearExpiry', 'KeyExpired', 'VaultAccessPolicyChanged'].map((type) =>
    fold(`Microsoft.KeyVault.${type}`),
  ),
);

/** The vault and key that a Key Vault event targets; undefined for types that report nothing about keys. */
export function targetOfKeyEvent(event: ReceivedEvent, cloud: Cloud): EventTarget | undefined {
  if (!keyEventTypes.has(fold(event.type))) return undefined;
  const vaultName = vaultNameIn(event.source) ?? textOf(event.data.vaultname);
  const vault = targetOfVault(vaultName, cloud);
  if (vault === undefined) return undefined;
  const keyName = fold(textOf(event.data.objecttype) ?? '') === 'key' ? textOf(event.data.objectname) : undefined;
  return keyName === undefined ? vault : { ...vault, keyName: fold(keyName) };
}

/** Undefined when the name is not that of a vault. */
export function targetOfVault(vaultName: string | undefined, cloud: Cloud): EventTarget | undefined {
  const vaultHost = fold(vaultName ?? '') + keyVaultSuffixes[cloud][0];
  return isKeyVaultHost(vaultHost, cloud) ? { vaultHost } : undefined;
}

/** The vault in an Azure Resource Manager id, or that the id is below. Its letter case differs from event to event. */
export function vaultNameIn(resourceId: string): string | undefined {
  return /\/providers\/microsoft\.keyvault\/vaults\/([^/]+)/.exec(fold(resourceId))?.[1];
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && value.length <= 127 ? value : undefined;

/** Wakes the vault if an account uses a key in it. Returns whether it did. */
export async function wake(target: EventTarget, deps: Pick<VaultWorkDeps, 'vaults' | 'queue'>): Promise<boolean> {
  const vault = vaultIdOf(target.vaultHost);
  if ((await deps.vaults.bindings(vault)).length === 0) return false;
  const lookNow = target.keyName === undefined ? {} : { keyName: target.keyName };
  const event = target.eventId === undefined ? {} : { eventId: target.eventId };
  await deps.queue.send({ vault, lookNow, requestedBy: 'event', ...event });
  return true;
}

const resourceEventTypes = /^microsoft\.resources\.resource(write|delete|action)success$/;

/**
 * The vault that an Azure Resource Manager event targets: the vault was deleted, recovered or changed, or a role
 * assignment on it was. An assignment at a wider scope names no vault, so the next sweep finds its effect.
 */
export function targetOfResourceEvent(event: ReceivedEvent, cloud: Cloud): EventTarget | undefined {
  if (!resourceEventTypes.test(fold(event.type))) return undefined;
  const resource = foldKeys(event.data)?.resourceuri;
  const vaultName = vaultNameIn(event.subject) ?? (typeof resource === 'string' ? vaultNameIn(resource) : undefined);
  return targetOfVault(vaultName, cloud);
}

/** The target of an event of either kind. */
export const targetOfEvent = (event: ReceivedEvent, cloud: Cloud): EventTarget | undefined =>
  targetOfKeyEvent(event, cloud) ?? targetOfResourceEvent(event, cloud);

/** The id when it has the form of an id; any other text is left out. */
export const eventIdOf = ({ id }: ReceivedEvent): Pick<EventTarget, 'eventId'> =>
  /^[\w-]{1,64}$/.test(id) ? { eventId: id } : {};

/** One target per vault: the vault itself when events name several of its keys. */
export function targetsByVault(events: readonly ReceivedEvent[], cloud: Cloud): EventTarget[] {
  const targets = new Map<string, EventTarget>();
  for (const event of events) {
    const target = targetOfEvent(event, cloud);
    if (target === undefined) continue;
    const { vaultHost, keyName } = target;
    const known = targets.get(vaultHost);
    // Of several events, the audit names the first.
    const { keyName: _, ...vault } = known ?? {};
    if (known === undefined) targets.set(vaultHost, { ...target, ...eventIdOf(event) });
    else if (known.keyName !== keyName) targets.set(vaultHost, { vaultHost, ...vault });
  }
  return [...targets.values()];
}
