/**
 * The cost of looks: calls to Key Vault for each key and sweep, and the number of all calls when the same keys have ten
 * times the accounts. The emulators count every request to a vault (including challenges) or to the tables.
 */
import pLimit from 'p-limit';
import { type Lab, startLab } from '../../src/local/lab/lab.ts';
import { createGrantedVault } from '../../src/local/operator.ts';
import type { Bench } from '../report.ts';
import { keyPool, seedAccounts } from '../seed.ts';

const vaultCount = 50;
const keysOfVault = 10;
const keyCount = vaultCount * keysOfVault;
const accountsBefore = 1_000;
const growth = 10;
const sweeps = 4;
const minuteMs = 60_000;

interface Calls {
  readonly keyVault: number;
  readonly storage: number;
}

const sweepCost: Bench = async (report) => {
  const lab = await startLab({ keyPool });
  const count = counterOf(lab);
  try {
    const keys = await createKeys(lab);
    const measured: Calls[] = [];
    for (const accounts of [accountsBefore, accountsBefore * growth]) {
      await seed(lab, keys, accounts / keyCount, (done) =>
        report.progress(`sweep cost: ${done} accounts on ${keyCount} keys`),
      );
      // The overview still writes the rows of the seeded accounts.
      await lab.service.overview.settled();
      await lab.advance(minuteMs);
      const before = await count();
      for (let n = 1; n <= sweeps; n++) {
        await lab.advance(minuteMs);
        report.progress(`sweep cost: sweep ${n} of ${sweeps} over ${accounts} accounts`);
      }
      measured.push(difference(before, await count()));
    }
    const [few, many] = measured as [Calls, Calls];
    for (const { keyVault, storage } of measured)
      report.progress(`sweep cost: ${keyVault} to Key Vault, ${storage} to storage`);
    report.figure('sweep.keyVaultCallsPerKey', many.keyVault / sweeps / keyCount, 'calls', { atMost: 1.35 });
    const total = ({ keyVault, storage }: Calls) => keyVault + storage;
    report.figure('sweep.costGrowth', total(many) / total(few), 'times', { atMost: 1.05 });
  } finally {
    await lab.stop();
  }
};

const difference = (from: Calls, to: Calls): Calls => ({
  keyVault: to.keyVault - from.keyVault,
  storage: to.storage - from.storage,
});

/** Messages of the laboratory's queue count as calls to storage. */
function counterOf(lab: Lab): () => Promise<Calls> {
  let messages = 0;
  const send = lab.queue.send.bind(lab.queue);
  lab.queue.send = (...sent) => {
    messages += 1;
    return send(...sent);
  };
  return async () => ({
    keyVault: (await lab.keyVault<{ total: number }>('GET', '/requests?vault=none')).total,
    storage: messages + lab.tableRequests(),
  });
}

async function createKeys({ keyVault }: Lab): Promise<string[]> {
  const keys: string[] = [];
  for (let v = 0; v < vaultCount; v++) {
    const vault = `cost-${v}`;
    await createGrantedVault(vault, keyVault);
    for (let k = 0; k < keysOfVault; k++) {
      await keyVault('POST', `/vaults/${vault}/keys/k${k}`, { kty: 'RSA', size: 2048, fixture: k % 8 });
      keys.push(`https://${vault}.vault.azure.net/keys/k${k}`);
    }
  }
  return keys;
}

/** Adds accounts until every key has the given number. */
async function seed(lab: Lab, keys: readonly string[], perKey: number, report: (done: number) => void): Promise<void> {
  const limit = pLimit(4);
  let done = 0;
  await Promise.all(
    keys.map((key, k) =>
      limit(async () => {
        const all = Array.from({ length: perKey }, (_, n) => `cost-${k}-${n}`);
        const isSeeded = (name: string) => name !== all[0] && Number(name.split('-')[2]) < (seeded.get(key) ?? 0);
        await seedAccounts(
          all.filter((name) => !isSeeded(name)),
          key,
          lab.service,
          false,
        );
        seeded.set(key, perKey);
        done += perKey;
        if (++finished % 50 === 0) report(done);
      }),
    ),
  );
}

const seeded = new Map<string, number>();
let finished = 0;

export default sweepCost;
