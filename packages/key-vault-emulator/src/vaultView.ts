/** A vault as the control API shows it: everything except the private keys. */
import { armId, type Vault } from './model.ts';

export function viewVault(vault: Vault) {
  const { throttleState: _bucket, keys, accessPolicies, roleAssignments, changes: _changes, ...rest } = vault;
  return {
    ...rest,
    url: `https://${vault.host}`,
    armId: armId(vault),
    ...(vault.deleted ? { deleted: new Date(vault.deleted.at).toISOString() } : {}),
    roleAssignments: roleAssignments
      .filter((one) => one.until === undefined)
      .map(({ id, principal, permissions: granted, key }) => ({
        id,
        principal,
        permissions: granted,
        ...(key === undefined ? {} : { key }),
      })),
    accessPolicies: Object.fromEntries(accessPolicies),
    keys: [...keys.values()].map((key) => key.name),
  };
}
