/** One laboratory for a test file. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type Lab, type LabOptions, startLab } from '../src/local/lab/lab.ts';
import { dying } from './dying.ts';

export const keyPool = fileURLToPath(new URL('fixtures/rsaKeys.json', import.meta.url));

/** Each test begins with no active vaults: those of earlier tests stay, and time no longer passes for them. */
export function useLab(options: LabOptions = {}): { readonly lab: Lab } {
  let lab: Lab | undefined;
  beforeAll(async () => {
    lab = await startLab({ keyPool, ...options });
  });
  beforeEach(() => lab?.turnPage());
  afterAll(() => lab?.stop());
  return {
    get lab() {
      if (lab === undefined) throw new Error('The laboratory opens when the tests begin.');
      return lab;
    },
  };
}

/** The error that rejects a promise. Fails the test when the promise resolves. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('Expected an error.');
}

/**
 * A process that dies before its n-th effect, which leaves what a process leaves that dies after the effect before it.
 */
export function dyingAt(lab: Lab, effect: number) {
  const { mortalPort, hasDied } = dying(effect, 'before');
  const { accounts, bindings, vaults, claims, keyVault, directory, purgeSchedule, secrets, resources } = lab.service;
  const service = lab.another({
    accounts: mortalPort(accounts),
    bindings: mortalPort(bindings),
    vaults: mortalPort(vaults),
    claims: mortalPort(claims),
    directory: mortalPort(directory),
    purgeSchedule: mortalPort(purgeSchedule),
    secrets: mortalPort(secrets),
    resources: mortalPort(resources),
    keyVault: mortalPort(keyVault),
    rings: lab.service.rings,
  });
  return { service, hasDied };
}
