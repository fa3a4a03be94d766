/**
 * Denials of the customer's side: by a real change in the emulator where it has one, otherwise by the response of the
 * real service.
 */
import {
  clearFaults,
  fault,
  forGood,
  giveGrant,
  grantRemoved,
  keyChange,
  outage,
  type Row,
  refusedAfterFifteenMinutes,
  refusedAfterSeveral,
  refusedAfterTwo,
  vaultChange,
} from './row.ts';
import type { World } from './world.ts';

const forbidden = (inner: string) => fault({ action: 'forbidden', inner });

/**
 * A purge needs a vault without purge protection. Keyward accepts no such key, so the protection is removed afterwards.
 */
async function purge({ lab }: World, vault: string): Promise<void> {
  await lab.keyVault('PATCH', `/vaults/${vault}`, { recoveryLevel: 'Recoverable+Purgeable' });
  await lab.keyVault('DELETE', `/vaults/${vault}/keys/cmk`);
  await lab.keyVault('POST', `/vaults/${vault}/keys/cmk/purge`);
}

const createAgain = ({ lab }: World, vault: string) =>
  lab.keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048, fixture: 1 });

/** The version that wraps the account key, before the rotation. */
async function setOldVersion({ lab }: World, vault: string, enabled: boolean): Promise<void> {
  const { versions } = await lab.keyVault<{ versions: { key: { kid: string } }[] }>('GET', `/vaults/${vault}/keys/cmk`);
  const version = versions[0]?.key.kid.split('/').at(-1);
  await lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk/${version}`, { enabled });
}

export const denials: readonly Row[] = [
  {
    name: 'the key is disabled',
    evidence: 'recorded',
    ...keyChange({ enabled: false }, { enabled: true }),
    expect: refusedAfterTwo('KeyDisabled'),
  },
  {
    name: 'the key is rotated, and its old version is disabled before the re-wrap',
    evidence: 'inferred',
    async inject(world, vault) {
      await world.lab.keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048, fixture: 1 });
      await setOldVersion(world, vault, false);
    },
    end: (world, vault) => setOldVersion(world, vault, true),
    expect: refusedAfterTwo('KeyDisabled'),
  },
  {
    name: '403 KeyDisabled',
    evidence: 'recorded',
    ...forbidden('KeyDisabled'),
    expect: refusedAfterTwo('KeyDisabled'),
  },
  {
    name: 'the key is deleted, and recovered',
    evidence: 'recorded',
    inject: ({ lab }, vault) => lab.keyVault('DELETE', `/vaults/${vault}/keys/cmk`),
    end: ({ lab }, vault) => lab.keyVault('POST', `/vaults/${vault}/keys/cmk/recover`),
    expect: refusedAfterSeveral('KeyNotFound'),
  },
  {
    name: 'the key is purged, and another key of its name is created: the account key is lost',
    evidence: 'documented',
    inject: purge,
    end: createAgain,
    expect: forGood(refusedAfterSeveral('KeyNotFound')),
  },
  {
    name: '404 KeyNotFound for unwrapKey, while GET finds the key: a version is gone',
    evidence: 'recorded',
    ...fault({ action: 'status', status: 404, code: 'KeyNotFound', operation: 'unwrapkey' }),
    expect: refusedAfterSeveral('KeyNotFound'),
  },
  {
    name: 'the role assignment is removed',
    evidence: 'recorded',
    ...grantRemoved,
    expect: refusedAfterSeveral('KeyPermissionDenied'),
  },
  {
    name: '403 ForbiddenByRbac',
    evidence: 'recorded',
    ...forbidden('ForbiddenByRbac'),
    expect: refusedAfterSeveral('KeyPermissionDenied'),
  },
  {
    name: '403 as a Managed HSM answers (AccessDenied)',
    evidence: 'recorded',
    vault: { answers: { rbacBody: 'managedhsm' } },
    ...grantRemoved,
    expect: refusedAfterSeveral('KeyPermissionDenied'),
  },
  {
    name: 'the access policy is removed (AccessDenied)',
    evidence: 'recorded',
    vault: { authModel: 'policy' },
    ...grantRemoved,
    expect: refusedAfterSeveral('KeyPermissionDenied'),
  },
  {
    name: 'the access policy is removed (ForbiddenByPolicy, as until 2021)',
    evidence: 'recorded',
    vault: { authModel: 'policy', answers: { policyInnerCode: 'ForbiddenByPolicy' } },
    ...grantRemoved,
    expect: refusedAfterSeveral('KeyPermissionDenied'),
  },
  {
    name: 'the vault is switched from role assignments to access policies',
    evidence: 'documented',
    ...vaultChange({ authModel: 'policy' }, { authModel: 'rbac' }),
    expect: refusedAfterSeveral('KeyPermissionDenied'),
  },
  {
    name: 'the key is disabled and the grant is removed: the vault reports the permission first',
    evidence: 'inferred',
    async inject(world, vault) {
      await world.lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: false });
      await grantRemoved.inject(world, vault);
    },
    async end(world, vault) {
      await world.lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: true });
      await giveGrant(world, vault);
    },
    expect: refusedAfterSeveral('KeyPermissionDenied'),
  },
  {
    name: 'key_ops lose unwrapKey',
    evidence: 'documented',
    ...keyChange({ keyOps: ['wrapKey'] }, { keyOps: ['wrapKey', 'unwrapKey'] }),
    expect: refusedAfterSeveral('KeyOperationNotAllowed'),
  },
  {
    name: 'the vault is deleted (its name does not resolve) and recovered, and the customer grants again',
    evidence: 'recorded',
    inject: ({ lab }, vault) => lab.keyVault('DELETE', `/vaults/${vault}`),
    async end(world, vault) {
      await world.lab.keyVault('POST', `/vaults/${vault}/recover`);
      await giveGrant(world, vault);
    },
    expect: refusedAfterFifteenMinutes('VaultNotFound'),
  },
  {
    name: 'the vault is deleted, its name resolves and its host answers 404 VaultNotFound',
    evidence: 'inferred',
    vault: { answers: { deletedVault: 404 } },
    inject: ({ lab }, vault) => lab.keyVault('DELETE', `/vaults/${vault}`),
    async end(world, vault) {
      await world.lab.keyVault('POST', `/vaults/${vault}/recover`);
      await giveGrant(world, vault);
    },
    expect: outage('UnknownResponse'),
  },
  {
    name: 'denials of three causes in turn: none confirms another',
    evidence: 'inferred',
    async inject(world, vault) {
      for (const inner of ['KeyOperationForbidden', 'ForbiddenByRbac', 'KeyOperationForbidden', 'ForbiddenByRbac'])
        await world.lab.keyVault('POST', '/faults', {
          vault,
          action: 'forbidden',
          inner,
          count: 1,
          operation: 'unwrapkey',
        });
      await world.lab.keyVault('POST', '/faults', { vault, action: 'forbidden', inner: 'KeyDisabled' });
    },
    end: clearFaults,
    expect: { ...refusedAfterSeveral('KeyDisabled') },
  },
];
