/** One laboratory for a test file: the SDK keeps its token source per process, and a file has a process of its own. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type Lab, type LabOptions, startLab } from '../src/local/lab/lab.ts';

export const keyPool = fileURLToPath(new URL('fixtures/rsaKeys.json', import.meta.url));

/** Each test begins a new page of the laboratory: vaults of the tests before it stay, and time no longer passes for them. */
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

/** The error that a promise ends in; fails the test when it does not. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('Expected an error.');
}

/** A process that dies at its n-th effect: half of them before the effect takes place, half of them after. */
export function dyingAt(lab: Lab, effect: number) {
  let count = 0;
  let died = false;
  const mortal = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name, receiver) {
        const member: unknown = Reflect.get(target, name, receiver);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          // As ports fail: by what they answer, not while they are called.
          if (died) return Promise.reject(new Error('dead'));
          count += 1;
          if (count !== effect) return member.apply(target, args);
          died = true;
          if (effect % 2 === 0) return Promise.reject(new Error('died before the effect'));
          return Promise.resolve(member.apply(target, args)).then(() => {
            throw new Error('died after the effect');
          });
        };
      },
    });
  const { accounts, bindings, vaults, claims, keyVault, directory, secrets, resources } = lab.service;
  const service = lab.another({
    accounts: mortal(accounts),
    bindings: mortal(bindings),
    vaults: mortal(vaults),
    claims: mortal(claims),
    directory: mortal(directory),
    secrets: mortal(secrets),
    resources: mortal(resources),
    keyVault: { ...mortal(keyVault), wrap: keyVault.wrap },
    rings: lab.service.rings,
  });
  return { service, reached: () => died };
}
