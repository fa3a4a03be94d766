/** How long a fault that could hide a revocation stays unseen, in virtual time: the worst of all faults. */
import { startLab } from '../../src/local/lab/lab.ts';
import { blindnesses, secondsUntilSeen } from '../../src/local/matrix/blindness.ts';
import type { Bench } from '../report.ts';
import { keyPool } from '../seed.ts';

const blind: Bench = async ({ figure, progress }) => {
  const seconds: number[] = [];
  for (const [n, [what, blindness]] of Object.entries(blindnesses).entries()) {
    const lab = await startLab({ keyPool });
    try {
      const taken = await secondsUntilSeen(lab, blindness, `blind-${n}`);
      progress(`blind: ${what} is seen after ${taken} s`);
      seconds.push(taken);
    } finally {
      await lab.stop();
    }
  }
  figure('blind.detectedSeconds', Math.max(...seconds), 's', { atMost: 180 });
};

export default blind;
