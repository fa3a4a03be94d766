/** Vaults: create, delete, recover, purge. In Azure these are calls of Azure Resource Manager. */
import { type Answers, defaultAnswers } from './answers.ts';
import { DAY_MS } from './clock.ts';
import { Refused } from './errors.ts';
import { type Cloud, type VaultKind, vaultHost } from './hosts.ts';
import {
  type AuthModel,
  type FirewallMode,
  hasPurgeProtection,
  hasSoftDelete,
  type RecoveryLevel,
  type Vault,
} from './model.ts';
import { defaultThrottle, newThrottleState, type ThrottleSettings } from './throttle.ts';

export type VaultInput = {
  name: string;
  tenantId: string;
  location: string;
  kind: VaultKind;
  cloud: Cloud;
  subscriptionId: string;
  resourceGroup: string;
  recoveryLevel: RecoveryLevel;
  recoverableDays?: number | undefined;
  authModel: AuthModel;
  firewall: FirewallMode;
  throttle: Partial<ThrottleSettings>;
  answers: Partial<Answers>;
};

export type Vaults = Map<string, Vault>;

const refuse = (status: number, code: string, message: string) => new Refused({ status, code, message });

export function createVault(vaults: Vaults, input: VaultInput): Vault {
  const id = input.name.toLowerCase();
  const existing = vaults.get(id);
  if (existing !== undefined) {
    throw existing.deleted
      ? refuse(
          409,
          'ConflictError',
          `A vault with the name ${input.name} exists in deleted state: recover or purge it.`,
        )
      : refuse(409, 'VaultAlreadyExists', `The vault name ${input.name} is already in use.`);
  }
  const { recoverableDays, throttle, answers, ...rest } = input;
  const vault: Vault = {
    ...rest,
    host: vaultHost(input.name, input.kind, input.cloud),
    recoverableDays: retentionDays(input.recoveryLevel, recoverableDays),
    throttle: { ...defaultThrottle, ...throttle },
    throttleState: newThrottleState(),
    answers: { ...defaultAnswers(input.kind), ...answers },
    roleAssignments: [],
    accessPolicies: new Map(),
    keys: new Map(),
    subscriptions: [],
    changes: 0,
  };
  vaults.set(id, vault);
  return vault;
}

/** The retention of a recovery level: none, 90 days, or the customer's choice of 7 to 89 days. */
export function retentionDays(level: RecoveryLevel, days: number | undefined): number {
  if (!level.startsWith('Customized')) return hasSoftDelete(level) ? 90 : 0;
  const chosen = days ?? 7;
  if (chosen < 7 || chosen > 89) {
    throw refuse(400, 'BadRequest', `recoverableDays: ${level} needs 7 to 89 days, not ${chosen}`);
  }
  return chosen;
}

/**
 * Key Vault docs, general/soft-delete-overview: the deletion of a vault also deletes its role assignments and Event
 * Grid subscriptions, and recovery does not restore them. Access policies are properties of the vault; the emulator
 * deletes them too, because that is the harder case for a client.
 */
export function deleteVault(vaults: Vaults, vault: Vault, now: number): void {
  vault.roleAssignments = [];
  vault.accessPolicies.clear();
  vault.subscriptions = [];
  if (!hasSoftDelete(vault.recoveryLevel)) {
    vaults.delete(vault.name.toLowerCase());
    return;
  }
  vault.deleted = { at: now, purgeAt: now + vault.recoverableDays * DAY_MS };
}

export function recoverVault(vault: Vault): void {
  if (!vault.deleted) throw refuse(409, 'Conflict', `The vault ${vault.name} is not deleted.`);
  delete vault.deleted;
}

export function purgeVault(vaults: Vaults, vault: Vault): void {
  if (!vault.deleted) throw refuse(409, 'Conflict', `The vault ${vault.name} is not deleted.`);
  if (hasPurgeProtection(vault.recoveryLevel)) {
    throw refuse(
      409,
      'PurgeProtected',
      `The vault ${vault.name} has purge protection: Key Vault purges it when its retention ends.`,
    );
  }
  vaults.delete(vault.name.toLowerCase());
}

/** Purges vaults and keys whose retention has ended. */
export function purgeOverdue(vaults: Vaults, now: number): void {
  for (const [id, vault] of vaults) {
    if (vault.deleted && now >= vault.deleted.purgeAt) vaults.delete(id);
    for (const [name, key] of vault.keys) {
      if (key.deleted && now >= key.deleted.purgeAt) vault.keys.delete(name);
    }
  }
}
