import { afterAll, beforeAll, beforeEach } from 'vitest';
import { stateOf, verdictOn } from '../../src/core/accounts/account.ts';
import { createPump, type Pump } from '../../src/local/matrix/pump.ts';
import { openWorld, type World } from '../../src/local/matrix/world.ts';
import { keyPool } from '../lab.ts';

export const second = 1000;
export const minute = 60 * second;

export interface Stage extends World {
  readonly pump: Pump;
  /** Creates a vault with a key, and an account of the same name that uses it. */
  account(name: string): Promise<void>;
  fault(vault: string, body: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** "Enabled Suspect KeyDisabled" */
  status(name: string): Promise<string>;
}

export function useStage(): { readonly stage: Stage } {
  let stage: Stage | undefined;
  const played: string[] = [];
  beforeAll(async () => {
    const world = await openWorld({ keyPool });
    const { lab } = world;
    stage = {
      ...world,
      pump: createPump(lab),
      async account(name) {
        await lab.account(name, name, await lab.vaultWithKey(name));
        played.push(name);
      },
      fault: (vault, body) => lab.keyVault('POST', '/faults', { vault, ...body }),
      async status(name) {
        const view = await lab.view(name);
        return [stateOf(view), verdictOn(view)?.status, verdictOn(view)?.cause].filter(Boolean).join(' ');
      },
    };
  });
  // Time passes for the vaults of one test only.
  beforeEach(() => {
    for (const vault of played.splice(0)) stage?.pump.retire(vault);
  });
  afterAll(() => stage?.stop());
  return {
    get stage() {
      if (stage === undefined) throw new Error('The stage opens when the tests begin.');
      return stage;
    },
  };
}
