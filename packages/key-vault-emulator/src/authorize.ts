/**
 * Who may do what. RBAC data actions: Azure built-in roles docs ("Key Vault Crypto Officer", "Key Vault Crypto Service
 * Encryption User"). Under RBAC listing is covered by `keys/read`; access policies have a permission of its own for it.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import { type AuthModel, armId, type Permission, permissions, type RoleAssignment, type Vault } from './model.ts';
import type { Operation } from './routes.ts';

export const roles: Readonly<Record<string, readonly Permission[]>> = {
  cryptoServiceEncryptionUser: ['get', 'wrapKey', 'unwrapKey'],
  cryptoOfficer: permissions,
};

type Need = { rbac: Permission; policy: Permission; action: string };

const keys = 'Microsoft.KeyVault/vaults/keys';
const need = (permission: Permission, action: string): Need => ({ rbac: permission, policy: permission, action });

export const needs: Readonly<Record<Operation, Need>> = {
  list: { rbac: 'get', policy: 'list', action: `${keys}/read` },
  listversions: { rbac: 'get', policy: 'list', action: `${keys}/read` },
  get: need('get', `${keys}/read`),
  create: need('create', `${keys}/create/action`),
  import: need('import', `${keys}/import/action`),
  update: need('update', `${keys}/update/action`),
  rotate: need('rotate', `${keys}/rotate/action`),
  getrotationpolicy: need('getRotationPolicy', 'Microsoft.KeyVault/vaults/keyrotationpolicies/read'),
  setrotationpolicy: need('setRotationPolicy', 'Microsoft.KeyVault/vaults/keyrotationpolicies/write'),
  delete: need('delete', `${keys}/delete`),
  listdeleted: { rbac: 'getDeleted', policy: 'list', action: `${keys}/read` },
  getdeleted: { rbac: 'getDeleted', policy: 'get', action: `${keys}/read` },
  recover: need('recover', `${keys}/recover/action`),
  purge: need('purge', `${keys}/purge/action`),
  wrapkey: need('wrapKey', `${keys}/wrap/action`),
  unwrapkey: need('unwrapKey', `${keys}/unwrap/action`),
  encrypt: need('encrypt', `${keys}/encrypt/action`),
  decrypt: need('decrypt', `${keys}/decrypt/action`),
  sign: need('sign', `${keys}/sign/action`),
};

/** The resource that a refusal names: the key, or the vault if the operation concerns no single key. */
export function resourceId(vault: Vault, key: string | undefined): string {
  return (key === undefined ? armId(vault) : `${armId(vault)}/keys/${key}`).toLowerCase();
}

/**
 * Whether the principal has the permission. With RBAC also the assignment that grants it: the service names it in a
 * header.
 */
export function authorize(
  vault: Vault,
  principal: string,
  operation: Operation,
  key: string | undefined,
  clock: Pick<Clock, 'passed'>,
): { allowed: boolean; assignmentId?: string } {
  const id = principal.toLowerCase();
  if (vault.authModel === 'policy') {
    return { allowed: vault.accessPolicies.get(id)?.includes(needs[operation].policy) ?? false };
  }
  const found = vault.roleAssignments.find(
    (assignment) =>
      assignment.principal === id &&
      (assignment.key === undefined || assignment.key === key?.toLowerCase()) &&
      assignment.permissions.includes(needs[operation].rbac) &&
      clock.passed(assignment.from) &&
      !(assignment.until && clock.passed(assignment.until)),
  );
  return found ? { allowed: true, assignmentId: found.id } : { allowed: false };
}

export type GrantInput = {
  principal: string;
  permissions: readonly Permission[];
  key?: string | undefined;
  model: AuthModel;
};

/** Replaces the permissions that the principal had at that scope. */
export function putGrant(vault: Vault, grant: GrantInput, clock: Clock, delayMs: number): void {
  const principal = grant.principal.toLowerCase();
  if (grant.model === 'policy') {
    vault.accessPolicies.set(principal, grant.permissions);
    return;
  }
  endAssignments(vault, principal, grant.key, clock, delayMs);
  vault.roleAssignments.push({
    id: randomUUID(),
    principal,
    permissions: grant.permissions,
    ...(grant.key === undefined ? {} : { key: grant.key.toLowerCase() }),
    from: clock.after(delayMs),
  });
}

/** The role assignments removed (for RBAC), or whether there was a policy. */
export function removeGrant(
  vault: Vault,
  grant: Omit<GrantInput, 'permissions'>,
  clock: Clock,
  delayMs: number,
): { removed: boolean; assignments: RoleAssignment[] } {
  const principal = grant.principal.toLowerCase();
  if (grant.model === 'policy') return { removed: vault.accessPolicies.delete(principal), assignments: [] };
  const assignments = endAssignments(vault, principal, grant.key, clock, delayMs);
  return { removed: assignments.length > 0, assignments };
}

function endAssignments(
  vault: Vault,
  principal: string,
  key: string | undefined,
  clock: Clock,
  delayMs: number,
): RoleAssignment[] {
  const scope = key?.toLowerCase();
  vault.roleAssignments = vault.roleAssignments.filter((one) => !(one.until && clock.passed(one.until)));
  const ending = vault.roleAssignments.filter(
    (one) => one.until === undefined && one.principal === principal && one.key === scope,
  );
  if (delayMs === 0) vault.roleAssignments = vault.roleAssignments.filter((one) => !ending.includes(one));
  for (const assignment of ending) assignment.until = clock.after(delayMs);
  return ending;
}
