/** The laboratory of the fault matrix: a wire that can say anything, and identities of ours that can be lost one by one. */
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

/** Seconds that a look may take in real time here: short, because a vault that hangs is met at every sweep, and above what a busy machine takes. */
const lookDeadlineSeconds = 3;
/** Tokens of user-assigned identities and applications are kept for a second at most, so that the loss of one shows at the next look. */
const tokenLifetimeSeconds = 2;
export const tokensForgottenMs = 1_700;

export async function openWorld(options: LabOptions = {}): Promise<World> {
  const wire = await startWire();
  const settings = {
    KEYWARD_LOOK_DEADLINE_SECONDS: String(lookDeadlineSeconds),
    KEYWARD_KEY_VAULT_EMULATOR: wire.url,
    ...options.settings,
  };
  const lab = await startLab({ ...options, settings });
  wire.leadTo(lab.keyVaultUrl);
  const identity = keyVaultControl(lab.identityUrl);
  // Takes and keeps the system-assigned identity's token, which lives for a day, before the others' become short-lived.
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

/** Setting up is no test: on a machine that is busy starting, the deadline of one call can pass. */
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

/** Where the resource id of the identity that only this vault is reached with ends. */
export const identityOf = speakerOf;

/** Puts the identity of a vault into the directory; one that was deleted comes back as somebody else. */
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

/** An account whose key is reached with a user-assigned identity that nothing else uses. */
export async function accountWithOwnIdentity(world: World, vault: string, keyIdentifier: string): Promise<void> {
  const principal = await createIdentity(world, vault);
  await grantEverywhere(world, vault, principal);
  const identity = { useSystemAssignedIdentity: false, userAssignedIdentity: principal.resourceId } as const;
  const encryption = { type: 'CustomerKey', keyIdentifier, identity } as const;
  await putAccount(vault, { owner: vault, location, encryption }, {}, tester, world.lab.service);
}

export const controlsOf = ({ identity, lab }: World): Controls => ({ identity, keyVault: lab.keyVault });

/** A vault with a key in a tenant of its own, and an account on it. */
export async function accountAcrossTenants(world: World, vault: string): Promise<void> {
  const identity = await registerApplication(vault, controlsOf(world));
  const keyIdentifier = await world.lab.vaultWithKey(vault, { tenantId: tenantOf(vault) });
  await installApplication(vault, vault, controlsOf(world));
  const encryption = { type: 'CustomerKey', keyIdentifier, identity } as const;
  await patiently(() => putAccount(vault, { owner: vault, location, encryption }, {}, tester, world.lab.service));
}
