/** One laboratory for a test file: the SDK keeps its token source per process, and a file has a process of its own. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import { type Lab, type LabOptions, startLab } from '../src/local/lab/lab.ts';

export const keyPool = fileURLToPath(new URL('fixtures/rsaKeys.json', import.meta.url));

export function useLab(options: LabOptions = {}): { readonly lab: Lab } {
  let lab: Lab | undefined;
  beforeAll(async () => {
    lab = await startLab({ keyPool, ...options });
  });
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
