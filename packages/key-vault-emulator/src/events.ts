/**
 * The events that Key Vault emits. Azure docs, event-grid/event-schema-key-vault: ten types, of which these concern
 * keys and the vault. There is none for disabling, deleting, recovering or purging a key, none for a change of its
 * attributes and none for a role assignment.
 */
import { randomUUID } from 'node:crypto';
import { type EventSchema, eventTime } from './eventSchema.ts';
import { armId, type Key, type KeyVersion, type Vault } from './model.ts';

/** One event, independent of the schema of a subscription. */
export type GridEvent = {
  id: string;
  type: string;
  subject: string;
  /** `topic` in the Event Grid schema, `source` in CloudEvents. */
  topic: string;
  time: string;
  data: Record<string, unknown>;
  dataVersion: string;
};

export type KeyEventName = 'KeyNewVersionCreated' | 'KeyNearExpiry' | 'KeyExpired';

export function keyEvent(name: KeyEventName, vault: Vault, key: Key, version: KeyVersion, nowMs: number): GridEvent {
  return event(`Microsoft.KeyVault.${name}`, vault, key.name, nowMs, {
    Id: `https://${vault.host}/keys/${key.name}/${version.id}`,
    VaultName: vault.name,
    ObjectType: 'Key',
    ObjectName: key.name,
    Version: version.id,
    // The docs' table says number, their sample shows strings.
    ...(version.nbf === undefined ? {} : { NBF: String(version.nbf) }),
    ...(version.exp === undefined ? {} : { EXP: String(version.exp) }),
  });
}

/** The access policies changed, or the vault was switched to or from Azure RBAC. */
export function accessPolicyEvent(vault: Vault, nowMs: number): GridEvent {
  return event('Microsoft.KeyVault.VaultAccessPolicyChanged', vault, vault.name, nowMs, {
    Id: `https://${vault.host}/`,
    VaultName: vault.name,
    ObjectType: 'Vault',
    ObjectName: vault.name,
  });
}

function event(type: string, vault: Vault, subject: string, nowMs: number, data: Record<string, unknown>): GridEvent {
  return { id: randomUUID(), type, subject, topic: armId(vault), time: eventTime(nowMs), data, dataVersion: '1' };
}

/** Event Grid posts an array in its own schema, and a single object in CloudEvents 1.0, unless batching is on. */
export function wireBody(
  schema: EventSchema,
  { id, type, subject, topic, time, data, dataVersion }: GridEvent,
): string {
  return JSON.stringify(
    schema === 'eventGrid'
      ? [{ id, topic, subject, eventType: type, eventTime: time, data, dataVersion, metadataVersion: '1' }]
      : { id, source: topic, subject, type, time, data, specversion: '1.0' },
  );
}
