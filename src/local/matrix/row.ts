/** The form of a row of the fault matrix, and the building blocks of rows. */
import type { Cause } from '../../core/base/causes.ts';
import { appPrincipalId } from '../operator.ts';
import type { Player } from './wire.ts';
import type { World } from './world.ts';

/** The evidence that the real service answers in this way: recorded traffic, its documentation, or an inference. */
export type Evidence = 'recorded' | 'documented' | 'inferred';

/** State of the account and status of its watch, as "Enabled Suspect". */
export interface Expectation {
  /** Absent: Keyward must notice nothing. */
  readonly cause?: Cause;
  readonly after1: string;
  readonly after2: string;
  readonly after3: string;
  readonly afterTenMinutes: string;
  /** Only where the confirmation takes longer than ten minutes: the fault then lasts twenty. */
  readonly afterTwentyMinutes?: string;
  readonly afterEnd: string;
}

export interface Row {
  readonly name: string;
  readonly evidence: Evidence;
  /** Options of the vault beside those of the laboratory. */
  readonly vault?: Readonly<Record<string, unknown>>;
  /** The account uses an identity that no other row uses. */
  readonly ownIdentity?: true;
  /** The vault is in a tenant of its own, and Keyward uses it through the operator's application. */
  readonly acrossTenants?: true;
  /** The fault affects every vault, so the row runs alone, after the others. */
  readonly alone?: true;
  inject(world: World, vault: string): Promise<unknown>;
  end(world: World, vault: string): Promise<unknown>;
  readonly expect: Expectation;
}

const accessible = 'Enabled Accessible';
const suspect = 'Enabled Suspect';
const unreachable = 'Enabled Unreachable';
const refused = 'CustomerKeyInaccessible Inaccessible';

const suspected = { after1: suspect, after2: suspect, after3: suspect };

/** Two denied looks, ten seconds apart. */
export const refusedAfterTwo = (cause: Cause): Expectation => ({
  cause,
  after1: suspect,
  after2: refused,
  after3: refused,
  afterTenMinutes: refused,
  afterEnd: accessible,
});

/** Three looks confirm only when they span the least time of the cause: half a minute, or a whole one. */
export const refusedAfterSeveral = (cause: Cause): Expectation => ({
  cause,
  ...suspected,
  afterTenMinutes: refused,
  afterEnd: accessible,
});

/** Confirmed after a quarter of an hour. */
export const refusedAfterFifteenMinutes = (cause: Cause): Expectation => ({
  cause,
  ...suspected,
  afterTenMinutes: suspect,
  afterTwentyMinutes: refused,
  afterEnd: accessible,
});

/** Never blocks, for any duration. */
export const outage = (cause: Cause): Expectation => ({
  cause,
  after1: unreachable,
  after2: unreachable,
  after3: unreachable,
  afterTenMinutes: unreachable,
  afterEnd: accessible,
});

export const harmless: Expectation = {
  after1: accessible,
  after2: accessible,
  after3: accessible,
  afterTenMinutes: accessible,
  afterEnd: accessible,
};

/** A fault that cannot be undone. */
export const forGood = (expectation: Expectation): Expectation => ({ ...expectation, afterEnd: refused });

type Fault = Pick<Row, 'inject' | 'end'>;

/** A fault of the emulator, in the form of its control API. */
export function fault(body: Readonly<Record<string, unknown>>): Fault {
  return {
    inject: ({ lab }, vault) => lab.keyVault('POST', '/faults', { vault, ...body }),
    end: (world, vault) => clearFaults(world, vault),
  };
}

export async function clearFaults({ lab }: World, vault: string): Promise<void> {
  const faults = await lab.keyVault<{ id: string; vault?: string }[]>('GET', '/faults');
  for (const { id } of faults.filter((one) => one.vault === vault)) await lab.keyVault('DELETE', `/faults/${id}`);
}

/** Chosen bytes that replace the vault's response. */
export function played(player: Player): Fault {
  return {
    inject: async ({ wire }, vault) => wire.play(vault, player),
    end: async ({ wire }, vault) => wire.release(vault),
  };
}

/** A change of the vault, and the change back. */
export function vaultChange(there: Readonly<Record<string, unknown>>, back: Readonly<Record<string, unknown>>): Fault {
  return {
    inject: ({ lab }, vault) => lab.keyVault('PATCH', `/vaults/${vault}`, there),
    end: ({ lab }, vault) => lab.keyVault('PATCH', `/vaults/${vault}`, back),
  };
}

/** A change of the key's latest version, and the change back. */
export function keyChange(there: Readonly<Record<string, unknown>>, back: Readonly<Record<string, unknown>>): Fault {
  return {
    inject: ({ lab }, vault) => lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, there),
    end: ({ lab }, vault) => lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, back),
  };
}

/** Removes the grant of the system-assigned identity on a vault, and grants it again. */
export const grantRemoved: Fault = {
  inject: ({ lab }, vault) => lab.keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}`),
  end: (world, vault) => giveGrant(world, vault),
};

export const giveGrant = ({ lab }: World, vault: string): Promise<unknown> =>
  lab.keyVault('PUT', `/vaults/${vault}/grants/${appPrincipalId}`, { permissions: 'cryptoServiceEncryptionUser' });
