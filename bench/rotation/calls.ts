/** The calls to the vault for a rotation of 1,000 accounts, and those of a simple loop. */
import { startLab } from '../../src/local/lab/lab.ts';
import type { Bench } from '../report.ts';
import { keyPool } from '../seed.ts';
import { measureCalls } from './measure.ts';

const calls: Bench = async (report) => {
  const lab = await startLab({ keyPool });
  try {
    report.progress('rotation: 1,000 accounts on one key');
    const { perAccount, naivePerAccount } = await measureCalls(1_000, lab);
    report.figure('rotation.keyVaultCallsPerAccount', perAccount, 'requests', { atMost: 2.05 });
    report.figure('rotation.vsNaive', naivePerAccount / perAccount, 'times', { atLeast: 3.5 });
  } finally {
    await lab.stop();
  }
};

export default calls;
