/** Ways in which a customer takes a key away, and the published bound of each. */
import type { Lab } from '../lab/lab.ts';
import { appPrincipalId } from '../operator.ts';

export interface Revocation {
  /** docs/states-and-bounds.md, "Bounds". */
  readonly withinMs: number;
  revoke(lab: Lab, vault: string): Promise<unknown>;
  giveBack(lab: Lab, vault: string): Promise<unknown>;
}

export const versionsOf = async ({ keyVault }: Lab, vault: string): Promise<string[]> => {
  const { versions } = await keyVault<{ versions: { key: { kid: string } }[] }>('GET', `/vaults/${vault}/keys/cmk`);
  return versions.map(({ key }) => key.kid);
};

const setEnabled = (enabled: boolean) => async (lab: Lab, vault: string) => {
  for (const kid of await versionsOf(lab, vault))
    await lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk/${kid.split('/').at(-1)}`, { enabled });
};

const grantOf = (vault: string) => `/vaults/${vault}/grants/${appPrincipalId}`;

export const revocations: Readonly<Record<string, Revocation>> = {
  disabled: { withinMs: 96_000, revoke: setEnabled(false), giveBack: setEnabled(true) },
  deleted: {
    withinMs: 126_000,
    revoke: ({ keyVault }, vault) => keyVault('DELETE', `/vaults/${vault}/keys/cmk`),
    giveBack: ({ keyVault }, vault) => keyVault('POST', `/vaults/${vault}/keys/cmk/recover`),
  },
  'grant removed': {
    withinMs: 156_000,
    revoke: ({ keyVault }, vault) => keyVault('DELETE', grantOf(vault)),
    giveBack: ({ keyVault }, vault) => keyVault('PUT', grantOf(vault), { permissions: 'cryptoServiceEncryptionUser' }),
  },
};
