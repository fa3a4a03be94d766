import { describe, expect, it } from 'vitest';
import { type Cause, causes } from '../../src/core/base/causes.ts';
import { meaningFor, type RemedyTarget, remedyOf } from '../../src/core/base/remedies.ts';
import { azCommandsIn, refusalOf } from '../az/azCommands.ts';

const version = '2f1c0d9e8b7a46559483726150a1b2c3';
const principalId = '22222222-2222-4222-8222-222222222222';
const clientId = 'cccccccc-0000-4000-8000-000000000001';
const userAssignedIdentity =
  '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/media';

const vault: RemedyTarget = {
  vaultHost: 'acme-keys.vault.azure.net',
  vaultName: 'acme-keys',
  keyName: 'cmk',
  version,
  principalId,
  clientAddress: '203.0.113.7',
  location: 'westeurope',
};
const hsm: RemedyTarget = { ...vault, vaultHost: 'acmehsm.managedhsm.azure.net', vaultName: 'acmehsm' };
const china: RemedyTarget = { ...vault, vaultHost: 'acme-keys.vault.azure.cn' };
const chinaHsm: RemedyTarget = { ...hsm, vaultHost: 'acmehsm.managedhsm.azure.cn' };
const usGov: RemedyTarget = { ...vault, vaultHost: 'acme-keys.vault.usgovcloudapi.net' };
const usGovHsm: RemedyTarget = { ...hsm, vaultHost: 'acmehsm.managedhsm.usgovcloudapi.net' };
const versionless = ({ version: _, ...target }: RemedyTarget): RemedyTarget => target;
const otherClouds = { china, chinaHsm, usGov, usGovHsm };
const unknown: RemedyTarget = { vaultName: 'acme-keys', keyName: 'cmk' };
const federated: RemedyTarget = {
  vaultHost: 'acme-keys.vault.azure.net',
  vaultName: 'acme-keys',
  keyName: 'cmk',
  identity: { useSystemAssignedIdentity: false, userAssignedIdentity, federatedIdentityClientId: clientId },
};
const targets = {
  vault,
  versionless: versionless(vault),
  hsm,
  versionlessHsm: versionless(hsm),
  ...otherClouds,
  unknown,
  federated,
};

const cases = causes.flatMap((cause) =>
  Object.entries(targets).map(([name, target]) => ({ cause, name, remedy: remedyOf(cause, target) })),
);

describe('a remedy', () => {
  it.each(cases)('the remedy of $cause for $name uses only commands and options that az has', ({ remedy }) => {
    expect(azCommandsIn(remedy).flatMap((command) => refusalOf(command) ?? [])).toEqual([]);
  });

  it.each(cases)('the remedy of $cause for $name is a sentence without placeholders', ({ remedy }) => {
    expect(remedy).toMatch(/^[A-Z].{15,}/);
    expect(remedy).not.toMatch(/undefined|[<>{}]/);
  });

  it('a remedy names the version that the account uses, because the command would otherwise change the newest', () => {
    for (const cause of ['KeyDisabled', 'KeyOperationNotAllowed', 'KeyNotYetValid'] as const)
      expect(remedyOf(cause, vault)).toContain(`--name cmk --version ${version}`);
    expect(remedyOf('KeyDisabled', unknown)).not.toContain('--version');
  });

  it('a remedy names the principal to grant, or the command that finds it', () => {
    expect(remedyOf('KeyPermissionDenied', vault)).toContain(`--assignee-object-id ${principalId} `);
    expect(remedyOf('KeyPermissionDenied', federated)).toContain(
      `"$(az ad sp show --id ${clientId} --query id -o tsv)"`,
    );
    const { federatedIdentityClientId: _, ...managed } = federated.identity as { federatedIdentityClientId?: string };
    const userAssigned = { ...federated, identity: managed as RemedyTarget['identity'] } as RemedyTarget;
    expect(remedyOf('KeyPermissionDenied', userAssigned)).toContain(`az identity show --ids ${userAssignedIdentity} `);
  });

  it('a remedy names the address to allow', () => {
    expect(remedyOf('VaultFirewallDenied', vault)).toContain('--name acme-keys --ip-address 203.0.113.7');
    expect(remedyOf('NetworkPerimeterDenied', vault)).toContain('203.0.113.7');
  });

  // Key Vault docs, managed-hsm/access-control: local RBAC; `--hsm-name` excludes `--vault-name` and `--name` of a
  // vault.
  it.each<[Cause, string]>([
    ['KeyDisabled', `az keyvault key set-attributes --hsm-name acmehsm --name cmk --version ${version} --enabled true`],
    ['KeyNotFound', 'az keyvault key recover --hsm-name acmehsm --name cmk'],
    [
      'KeyPermissionDenied',
      `az keyvault role assignment create --hsm-name acmehsm --role "Managed HSM Crypto Service Encryption User" --assignee-object-id ${principalId} --assignee-principal-type ServicePrincipal --scope /keys/cmk`,
    ],
    ['VaultNotFound', 'az keyvault recover --hsm-name acmehsm --location westeurope'],
    ['PurgeProtectionMissing', 'az keyvault update-hsm --hsm-name acmehsm --enable-purge-protection true'],
    ['KeyTypeUnsupported', 'az keyvault key create --hsm-name acmehsm --name cmk --kty RSA-HSM --size 3072'],
    ['VaultFirewallDenied', 'az keyvault network-rule add --hsm-name acmehsm '],
    ['DnsFailure', 'nslookup acmehsm.managedhsm.azure.net'],
  ])('the remedy of %s for a Managed HSM is a command of a Managed HSM', (cause, command) => {
    expect(remedyOf(cause, hsm)).toContain(command);
  });

  it.each(causes)('the remedy of %s for a Managed HSM names no vault', (cause) => {
    expect(remedyOf(cause, hsm)).not.toMatch(/--vault-name|vault\.azure\.net|--name acmehsm/);
  });

  it.each(causes)('the remedy of %s in the other clouds names no host of the public cloud', (cause) => {
    for (const target of Object.values(otherClouds)) expect(remedyOf(cause, target)).not.toContain('azure.net');
  });

  it.each(causes)('the remedy of %s for a Managed HSM of another cloud names no vault', (cause) => {
    for (const target of [chinaHsm, usGovHsm])
      expect(remedyOf(cause, target)).not.toMatch(/--vault-name|\.vault\.|--name acmehsm/);
  });

  it('the remedy of IdentityUnavailable distinguishes a missing token from a missing grant on the system key', () => {
    const failed = { ...vault, isControlLookFailed: true };
    expect(remedyOf('IdentityUnavailable', failed)).toContain(`az role assignment list --assignee ${principalId} `);
    expect(meaningFor('IdentityUnavailable', failed)).toContain("operator's own system key");
    expect(remedyOf('IdentityUnavailable', vault)).not.toContain('az role assignment');
    expect(meaningFor('IdentityUnavailable', vault)).toContain('token');
  });
});
