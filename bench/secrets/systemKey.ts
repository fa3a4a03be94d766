/** The calls to Key Vault for a new version of the operator's system key with 10,000 accounts under it. */
import { openAccountKey } from '../../src/core/accounts/accountKey.ts';
import { wipe } from '../../src/core/base/bytes.ts';
import { maintainRings } from '../../src/core/rings/maintainRings.ts';
import { type Lab, startLab } from '../../src/local/lab/lab.ts';
import { operatorVault } from '../../src/local/operator.ts';
import type { Bench } from '../report.ts';
import { requestsOf } from '../rotation/measure.ts';
import { keyPool, seedUnderSystemKey } from '../seed.ts';

const accounts = 10_000;
const samples = 100;
const minute = 60_000;

const systemKey: Bench = async (report) => {
  const lab = await startLab({ keyPool });
  try {
    const names = Array.from({ length: accounts }, (_, n) => `system-${n}`);
    report.progress(`secrets: ${accounts} accounts under the system key`);
    await seedUnderSystemKey(names, lab.service);
    const sampled = names.filter((_, n) => n % (accounts / samples) === 0);
    const etags = await etagsOf(sampled, lab);
    await sweepOver(5 * minute, lab);

    const made = await lab.keyVault<{ key: { kid: string } }>('POST', `/vaults/${operatorVault}/keys/system/rotate`);
    await lab.keyVault('DELETE', '/requests');
    await sweepOver(5 * minute, lab);
    const calls = await requestsOf(operatorVault, lab);

    // The figure is valid only if the ring is under the new version alone, and every account decrypts unchanged.
    const { rows } = (await lab.service.ringStore.read()).rings.system;
    if (rows.length !== 1 || rows[0]?.key !== made.key.kid) throw new Error('The system ring was not re-wrapped.');
    if ((await etagsOf(sampled, lab)).join() !== etags.join()) throw new Error('An account was changed.');
    await openAll(sampled, lab);
    report.figure('systemKey.rotationKeyVaultCalls', calls, 'requests', { atMost: 6 });
  } finally {
    await lab.stop();
  }
};

async function sweepOver(ms: number, { clock, service }: Lab): Promise<void> {
  for (const end = clock.now() + ms; clock.now() < end; clock.set(clock.now() + minute)) await maintainRings(service);
}

const etagsOf = (names: readonly string[], { service }: Lab): Promise<(string | undefined)[]> =>
  Promise.all(names.map(async (name) => (await service.accounts.read(name))?.etag));

/** In a new process, without a cached KEK. */
async function openAll(names: readonly string[], lab: Lab): Promise<void> {
  const fresh = await lab.another();
  for (const name of names) {
    const opened = await openAccountKey((await lab.view(name)).record, fresh);
    if (!opened.ok) throw new Error(`${name} does not decrypt: ${opened.cause}`);
    wipe(opened.value);
  }
}

export default systemKey;
