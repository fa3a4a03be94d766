/** Vaults, accounts and secrets of the cases, with the names that belong to an account. */
import type { KeyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import type { SecretKind } from '../../src/core/base/vocabulary.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { putSecret } from '../../src/core/secrets/writeSecret.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { createGrantedVault, location } from '../../src/local/operator.ts';

const identity = { useSystemAssignedIdentity: true } as const;
export const by = (vault: string) => ({
  type: 'CustomerKey' as const,
  keyIdentifier: `https://${vault}.vault.azure.net/keys/cmk`,
  identity,
});

export const permissions = 'cryptoServiceEncryptionUser';
export const hostOf = (vault: string) => `${vault}.vault.azure.net`;
export const unlessCode = (code: string) => (error: Error & { code?: string }) => {
  if (error.code !== code) throw error;
};

export async function createVault({ keyVault }: { readonly keyVault: KeyVaultControl }, vault: string): Promise<void> {
  await createGrantedVault(vault, keyVault);
  await keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048, fixture: 0 });
}

/** Each bench is an owner, because the changes of one owner's accounts race for the owner's counts. */
export const ownerOf = ({ vault }: { readonly vault: string }): string => vault;

export const createAccount = (
  bench: { readonly service: Service; readonly vault: string },
  name: string,
  encryption?: ReturnType<typeof by>,
) =>
  putAccount(
    {
      name,
      input: {
        owner: ownerOf(bench),
        location,
        auditKeyUse: true,
        ...(encryption === undefined ? {} : { encryption }),
      },
      actor: tester,
    },
    bench.service,
  );

export const put = (service: Service, account: string, name: string, value: string, kind: SecretKind = 'tokenKeys') =>
  putSecret(refOf(account, kind, name), { name, value: { given: Buffer.from(value) } }, {}, service);

/** A resource group of its own, so that its list is short. */
export const placeOf = (account: string) => ({
  subscriptionId: '5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01',
  resourceGroup: account,
});
export const policyOf = (account: string) => ({ account, type: 'contentKeyPolicies', name: 'policy' }) as const;
