/**
 * A process with a lease serves through lease and grace while the vault does not answer: in virtual time, with looks,
 * for every kind of failure. The failure begins right after the lease, and an account is used every ten seconds until
 * one second before the end.
 */
import { createLeases } from '../../src/core/accounts/leases.ts';
import { startLab } from '../../src/local/lab/lab.ts';
import type { Bench } from '../report.ts';
import { keyPool, seedAccounts } from '../seed.ts';

const silences: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'grace-empty': { action: 'status', status: 503, body: 'empty' },
  'grace-html': { action: 'status', status: 502, body: 'html' },
  'grace-throttled': { action: 'throttled' },
  'grace-reset': { action: 'reset' },
  'grace-dns': { action: 'network', code: 'EAI_AGAIN' },
  'grace-refused': { action: 'network', code: 'ECONNREFUSED' },
};
const accountsOfVault = 10;
const useEveryMs = 10_000;

const grace: Bench = async (report) => {
  const lab = await startLab({ keyPool });
  try {
    const names: string[] = [];
    for (const vault of Object.keys(silences)) {
      const ofVault = Array.from({ length: accountsOfVault }, (_, n) => `${vault}-${n}`);
      await seedAccounts(ofVault, await lab.vaultWithKey(vault), lab.service);
      names.push(...ofVault);
    }
    const leases = createLeases(lab.service);
    const use = async (name: string) =>
      leases.withAccountKey(await lab.view(name), (key) => key.some((byte) => byte > 0));
    await lab.advance(1_000);
    for (const name of names) await use(name);
    for (const [vault, fault] of Object.entries(silences)) await lab.keyVault('POST', '/faults', { vault, ...fault });

    const { leaseSeconds, leaseGraceSeconds } = lab.service.policy;
    const lastsMs = (leaseSeconds + leaseGraceSeconds - 1) * 1000;
    let uses = 0;
    let refused = 0;
    for (let passed = 0; passed < lastsMs; passed += useEveryMs) {
      await lab.advance(Math.min(useEveryMs, lastsMs - passed));
      for (const name of names) {
        uses += 1;
        const served = await use(name).catch(() => false);
        if (!served) refused += 1;
      }
      if (passed % 100_000 === 0) report.progress(`grace: ${passed / 1000} of ${lastsMs / 1000} s, ${refused} refused`);
    }
    leases.clear();
    report.progress(`grace: ${refused} of ${uses} uses refused`);
    report.figure('monitoring.refusedWithinGrace', refused, 'uses', { exactly: 0 });
  } finally {
    await lab.stop();
  }
};

export default grace;
