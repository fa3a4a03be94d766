/**
 * `az` commands on a customer key, for a vault or a Managed HSM. Options: test/az/commands.json. Managed HSM: Key Vault
 * docs, managed-hsm/access-control: it has its own roles, and an Azure role assignment grants nothing on its keys.
 */

/** Where a key is. The host shows the cloud, and whether it is a Managed HSM. */
export interface KeyAddress {
  readonly vaultHost: string;
  readonly vaultName: string;
  readonly keyName: string;
}

export type ServiceIdentity =
  | { readonly useSystemAssignedIdentity: true }
  | {
      readonly useSystemAssignedIdentity: false;
      readonly userAssignedIdentity: string;
      readonly federatedIdentityClientId?: string;
    };

/** `https://<vault><suffix>/keys/<key>`: the second label of the host distinguishes a Managed HSM. */
export const isManagedHsm = (vaultHost: string): boolean => vaultHost.split('.')[1] === 'managedhsm';

/** `--name contoso` or `--hsm-name contoso`, for commands on the vault. */
export const vaultOptions = ({ vaultHost, vaultName }: KeyAddress): string =>
  `${isManagedHsm(vaultHost) ? '--hsm-name' : '--name'} ${vaultName}`;

/** `--vault-name contoso --name media` or `--hsm-name contoso --name media`, for commands on the key. */
export const keyOptions = ({ vaultHost, vaultName, keyName }: KeyAddress): string =>
  `${isManagedHsm(vaultHost) ? '--hsm-name' : '--vault-name'} ${vaultName} --name ${keyName}`;

export const versionOptions = (key: KeyAddress, version: string | undefined): string =>
  version === undefined ? keyOptions(key) : `${keyOptions(key)} --version ${version}`;

export const resourceIdOf = (key: KeyAddress): string => `"$(az keyvault show ${vaultOptions(key)} --query id -o tsv)"`;

export const createKey = (key: KeyAddress): string =>
  `az keyvault key create ${keyOptions(key)} --kty ${isManagedHsm(key.vaultHost) ? 'RSA-HSM' : 'RSA'} --size 3072`;

export const rotateKey = (key: KeyAddress): string => `az keyvault key rotate ${keyOptions(key)}`;

/** The command removes the key's other tags. */
export const tagKey = (key: KeyAddress, tag: string, value: string): string =>
  `az keyvault key set-attributes ${keyOptions(key)} --tags "${tag}=${value}"`;

/** Without a version the command changes the newest one. */
export const disableKey = (key: KeyAddress, version?: string): string =>
  `az keyvault key set-attributes ${versionOptions(key, version)} --enabled false`;

export const encryptionUserRole = (vaultHost: string): string =>
  isManagedHsm(vaultHost) ? 'Managed HSM Crypto Service Encryption User' : 'Key Vault Crypto Service Encryption User';

/** The role on this one key. */
export function grantKey(key: KeyAddress, principal: string): string {
  const { vaultHost, vaultName, keyName } = key;
  const given = `--role "${encryptionUserRole(vaultHost)}" --assignee-object-id ${principal} --assignee-principal-type ServicePrincipal`;
  return isManagedHsm(vaultHost)
    ? `az keyvault role assignment create --hsm-name ${vaultName} ${given} --scope /keys/${keyName}`
    : `az role assignment create ${given} --scope "$(az keyvault show --name ${vaultName} --query id -o tsv)/keys/${keyName}"`;
}

/** The known principal, or a command that finds it. Only the operator can find that of the app's own identity. */
export function principalOf(identity: ServiceIdentity | undefined, principalId: string | undefined): string {
  if (principalId !== undefined) return principalId;
  if (identity === undefined || identity.useSystemAssignedIdentity) return '"$PRINCIPAL_ID"';
  const { userAssignedIdentity, federatedIdentityClientId } = identity;
  return federatedIdentityClientId === undefined
    ? `"$(az identity show --ids ${userAssignedIdentity} --query principalId -o tsv)"`
    : `"$(az ad sp show --id ${federatedIdentityClientId} --query id -o tsv)"`;
}
