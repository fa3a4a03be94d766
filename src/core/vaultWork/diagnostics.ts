/**
 * Key Vault diagnostic records (category AuditEvent), for customers that stream them. No other push source reports a
 * deleted or disabled key. The result comes from `properties.httpStatusCode`, because `resultType` says Success for a
 * 404 too (Key Vault docs, "Azure Key Vault logging"). Like every event, a record only requests a look (INV-5).
 */

import { fold } from '../base/names.ts';
import { type Cloud, keyVaultSuffixes } from '../customerKey/keyIdentifier.ts';
import type { EventTarget } from './events.ts';
import { targetOfVault, trimmed, vaultNameIn } from './events.ts';

const relevantOperations = new Set(
  [
    'KeyDelete',
    'KeyPurge',
    'KeyRecover',
    'KeyUpdate',
    'KeyCreate',
    'KeyImport',
    'KeyRotate',
    'VaultDelete',
    'VaultRecover',
    'VaultPatch',
    'VaultPut',
  ].map(fold),
);

/**
 * The targets of one Event Hubs message: an envelope of several records, or any other message, which has no targets.
 */
export function targetsOfDiagnostics(message: unknown, cloud: Cloud): EventTarget[] {
  const records = fieldOf(message, 'records');
  if (!Array.isArray(records)) return [];
  return records.flatMap((record) => targetOfRecord(record, cloud) ?? []);
}

function targetOfRecord(record: unknown, cloud: Cloud): EventTarget | undefined {
  const operation = fieldOf(record, 'operationName');
  const properties = fieldOf(record, 'properties');
  const status = Number(fieldOf(properties, 'httpStatusCode'));
  if (typeof operation !== 'string' || !relevantOperations.has(fold(operation)) || !(status >= 200 && status < 300))
    return undefined;
  const resourceId = fieldOf(record, 'resourceId');
  const vault = targetOfVault(typeof resourceId === 'string' ? vaultNameIn(resourceId) : undefined, cloud);
  if (vault === undefined) return undefined;
  const keyName = keyNameIn(fieldOf(properties, 'id'), cloud);
  return keyName === undefined ? vault : { ...vault, keyName };
}

/** `https://contoso.vault.azure.net/keys/name[/version]` → `name`. */
function keyNameIn(id: unknown, cloud: Cloud): string | undefined {
  if (typeof id !== 'string' || !fold(id).includes(`${keyVaultSuffixes[cloud][0]}/keys/`)) return undefined;
  const name = /\/keys\/([0-9a-z-]{1,127})(?:\/|$)/.exec(fold(id))?.[1];
  return name;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? trimmed((value as Record<string, unknown>)[name])
    : undefined;
}
