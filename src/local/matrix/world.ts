/**
 * The laboratory of the fault matrix: vaults that can send any response, and identities that can be lost one by one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type KeyVaultControl, keyVaultControl } from '../../../packages/key-vault-emulator/src/controlClient.ts';
import { putAccount } from '../../core/accounts/putAccount.ts';
import { Unavailable } from '../../core/base/errors.ts';
import { type Controls, installApplication, registerApplication, speakerOf, tenantOf } from '../acrossTenants.ts';
import { type Lab, type LabOptions, startLab, tester } from '../lab/lab.ts';
import { homeTenantId, location } from '../operator.ts';
import { startWire, type Wire } from './wire.ts';

export interface World {
  readonly lab: Lab;
  readonly wire: Wire;
  /** The token issuer's control API. */
  readonly identity: KeyVaultControl;
  stop(): Promise<void>;
}

export interface Principal {
  readonly clientId: string;
  readonly objectId: string;
  readonly resourceId: string;
}

export const operatorVault = 'keyward-operator';

/** The deadline of a look in real time here. Each sweep waits for a vault that hangs. */
const lookDeadlineSeconds = 3;
/**
 * Tokens of user-assigned identities and applications are valid for a second at most, so that the next look shows a
 * lost identity.
 */
const tokenLifetimeSeconds = 2;
export const tokensForgottenMs = 1_700;

export async function openWorld(options: LabOptions = {}): Promise<World> {
  const wire = await startWire();
  const settings = {
    KEYWARD_LOOK_DEADLINE_SECONDS: String(lookDeadlineSeconds),
    ...options.settings,
  };
  const lab = await startLab({ ...options, settings, vaultTransport: wire.over });
  const identity = keyVaultControl(lab.identityUrl);
  // Caches the system-assigned identity's token, which is valid for a day, before the others become short-lived.
  await patiently(() => lab.account('operator', 'operator'));
  await identity('PUT', '/lifetime', { msi: tokenLifetimeSeconds, token: tokenLifetimeSeconds });
  return {
    lab,
    wire,
    identity,
    async stop() {
      await lab.stop();
      await wire.stop();
    },
  };
}

/** The set-up is not the test: on a busy machine, one call can exceed its deadline. */
export async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (attempt === 3 || !(error instanceof Unavailable)) throw error;
      await sleep(500);
    }
  }
}

/** The end of the resource id of the identity that is used for this vault only. */
export const identityOf = speakerOf;

/** Adds the identity of a vault to the directory. A deleted one returns as another principal. */
export function createIdentity(world: World, vault: string): Promise<Principal> {
  const body = { tenantId: homeTenantId, kind: 'userAssigned' };
  return world.identity<Principal>('PUT', `/identities/${identityOf(vault)}`, body);
}

/** Lets the identity use the vault's keys, and the operator's control key. */
export async function grantEverywhere({ lab }: World, vault: string, { objectId }: Principal): Promise<void> {
  const body = { permissions: 'cryptoServiceEncryptionUser' };
  await lab.keyVault('PUT', `/vaults/${vault}/grants/${objectId}`, body);
  await lab.keyVault('PUT', `/vaults/${operatorVault}/grants/${objectId}`, body);
}

/** An account with a user-assigned identity that no other account uses. */
export async function accountWithOwnIdentity(world: World, vault: string, keyIdentifier: string): Promise<void> {
  const principal = await createIdentity(world, vault);
  await grantEverywhere(world, vault, principal);
  const identity = { useSystemAssignedIdentity: false, userAssignedIdentity: principal.resourceId } as const;
  const encryption = { type: 'CustomerKey', keyIdentifier, identity } as const;
  await putAccount({ name: vault, input: { owner: vault, location, encryption }, actor: tester }, world.lab.service);
}

export const controlsOf = ({ identity, lab }: World): Controls => ({ identity, keyVault: lab.keyVault });

/** A vault with a key in a tenant of its own, and an account that uses it. */
export async function accountAcrossTenants(world: World, vault: string): Promise<void> {
  const identity = await registerApplication(vault, controlsOf(world));
  const keyIdentifier = await world.lab.vaultWithKey(vault, { tenantId: tenantOf(vault) });
  await installApplication(vault, vault, controlsOf(world));
  const encryption = { type: 'CustomerKey', keyIdentifier, identity } as const;
  await patiently(() =>
    putAccount({ name: vault, input: { owner: vault, location, encryption }, actor: tester }, world.lab.service),
  );
}
