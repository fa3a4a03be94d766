/**
 * The parts that tests of rotation share: accounts by their versions and keys, and processes that die at a chosen
 * effect.
 */
import { openAccountKey } from '../../src/core/accounts/accountKey.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import type { Service } from '../../src/core/service.ts';
import { accountEntries, bindingEntries } from '../../src/local/entries.ts';
import type { Lab } from '../../src/local/lab/lab.ts';
import { dying } from '../dying.ts';

export const seconds = 1000;
export const vaultId = (vault: string): string => vaultIdOf(`${vault}.vault.azure.net`);

export async function versionOf(name: string, lab: Lab): Promise<string> {
  const { encryption } = (await lab.view(name)).record;
  return encryption.type === 'CustomerKey' ? encryption.version : 'SystemKey';
}

/** The account key by a fresh remote unwrap, in hex; throws when it does not open. */
export async function openedKey(name: string, lab: Lab): Promise<string> {
  const opened = await openAccountKey((await lab.view(name)).record, lab.service);
  if (!opened.ok) throw new Error(`${name} does not open: ${opened.cause}`);
  return Buffer.from(opened.value).toString('hex');
}

/** Adds a new version of the vault's key `cmk`, and returns it. */
export async function rotateKey(vault: string, lab: Lab, more: Record<string, unknown> = {}): Promise<string> {
  await lab.keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048, ...more });
  return latestVersion(vault, lab);
}

/** From the emulator itself, because the vault may be throttling. */
export async function latestVersion(vault: string, lab: Lab): Promise<string> {
  type Key = { readonly versions: readonly { readonly key: { readonly kid: string } }[] };
  const { versions } = await lab.keyVault<Key>('GET', `/vaults/${vault}/keys/cmk`);
  const kid = versions.at(-1)?.key.kid ?? '';
  return kid.slice(kid.lastIndexOf('/') + 1);
}

/** The types of the entries in the chain of the account's watch. */
export async function watchAudit(name: string, lab: Lab): Promise<string[]> {
  const { watch } = await lab.view(name);
  return (await bindingEntries(watch?.binding.id ?? '', lab.service)).map(({ type }) => type);
}

export async function rewrapsOf(name: string, lab: Lab): Promise<{ before?: string; after?: string }[]> {
  const { record } = await lab.view(name);
  const entries = await accountEntries(name, record.instanceId, lab.service);
  return entries.filter(({ type }) => type === 'AccountKeyRewrapped');
}

const ports = ['accounts', 'bindings', 'vaults', 'keyVault', 'queue'] as const;

/**
 * A process that dies before its n-th effect, which leaves what a process leaves that dies after the effect before it.
 */
export async function dyingAt(effect: number, lab: Lab) {
  const { mortalPort, hasDied } = dying(effect, 'before');
  const mortals = Object.fromEntries(ports.map((name) => [name, mortalPort(lab.service[name])])) as Partial<Service>;
  const service = await lab.another({ ...mortals, rings: lab.service.rings });
  return { service, hasDied };
}
