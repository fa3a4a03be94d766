/** What a row of the fault matrix is, and the few ways in which rows do what they do. */
import type { Cause } from '../../core/base/causes.ts';
import { appPrincipalId } from '../operator.ts';
import type { Player } from './wire.ts';
import type { World } from './world.ts';

/** How sure we are that the real service answers like this: recorded traffic, its documentation, or a guess. */
export type Evidence = 'recorded' | 'documented' | 'inferred';

/** State of the account and status of its watch, as "Enabled Suspect". */
export interface Expectation {
  /** Absent: nothing must be noticed. */
  readonly cause?: Cause;
  readonly after1: string;
  readonly after2: string;
  readonly after3: string;
  readonly afterTenMinutes: string;
  /** Only where believing takes longer than ten minutes: the fault then lasts for twenty. */
  readonly afterTwentyMinutes?: string;
  readonly afterEnd: string;
}

export interface Row {
  readonly name: string;
  readonly evidence: Evidence;
  /** Of the vault, beyond the laboratory's own. */
  readonly vault?: Readonly<Record<string, unknown>>;
  /** The account uses an identity of its own, which no other row does. */
  readonly ownIdentity?: true;
  /** The vault belongs to a tenant of its own, and an application of ours reaches it. */
  readonly acrossTenants?: true;
  /** Befalls every vault: runs after the others, on its own. */
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

/** Three looks are enough only when they span the time that this cause asks for: half a minute, or a whole one. */
export const refusedAfterSeveral = (cause: Cause): Expectation => ({
  cause,
  ...suspected,
  afterTenMinutes: refused,
  afterEnd: accessible,
});

/** Believed after a quarter of an hour. */
export const refusedAfterFifteenMinutes = (cause: Cause): Expectation => ({
  cause,
  ...suspected,
  afterTenMinutes: suspect,
  afterTwentyMinutes: refused,
  afterEnd: accessible,
});

/** Never disables, however long. */
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

/** What cannot be undone. */
export const forGood = (expectation: Expectation): Expectation => ({ ...expectation, afterEnd: refused });

type Story = Pick<Row, 'inject' | 'end'>;

/** A fault of the emulator, in the words of its control API. */
export function fault(body: Readonly<Record<string, unknown>>): Story {
  return {
    inject: ({ lab }, vault) => lab.keyVault('POST', '/faults', { vault, ...body }),
    end: (world, vault) => clearFaults(world, vault),
  };
}

export async function clearFaults({ lab }: World, vault: string): Promise<void> {
  const faults = await lab.keyVault<{ id: string; vault?: string }[]>('GET', '/faults');
  for (const { id } of faults.filter((one) => one.vault === vault)) await lab.keyVault('DELETE', `/faults/${id}`);
}

/** Bytes of our own making in place of the vault's answer. */
export function played(player: Player): Story {
  return {
    inject: async ({ wire }, vault) => wire.play(vault, player),
    end: async ({ wire }, vault) => wire.release(vault),
  };
}

/** A change of the vault, and the change back. */
export function vaultChange(there: Readonly<Record<string, unknown>>, back: Readonly<Record<string, unknown>>): Story {
  return {
    inject: ({ lab }, vault) => lab.keyVault('PATCH', `/vaults/${vault}`, there),
    end: ({ lab }, vault) => lab.keyVault('PATCH', `/vaults/${vault}`, back),
  };
}

/** A change of the key's latest version, and the change back. */
export function keyChange(there: Readonly<Record<string, unknown>>, back: Readonly<Record<string, unknown>>): Story {
  return {
    inject: ({ lab }, vault) => lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, there),
    end: ({ lab }, vault) => lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, back),
  };
}

/** The grant of the system-assigned identity on a vault, taken away and given again. */
export const grantRemoved: Story = {
  inject: ({ lab }, vault) => lab.keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}`),
  end: (world, vault) => giveGrant(world, vault),
};

export const giveGrant = ({ lab }: World, vault: string): Promise<unknown> =>
  lab.keyVault('PUT', `/vaults/${vault}/grants/${appPrincipalId}`, { permissions: 'cryptoServiceEncryptionUser' });
