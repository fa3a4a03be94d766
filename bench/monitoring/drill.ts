/**
 * A revocation drill of the built app, in real time with the default intervals: the sweep's timer runs, and Keyward
 * measures its own bounds.
 */
import { caller } from '../../src/local/client.ts';
import { drillSettings, prepareCanary } from '../../src/local/demo/drill.ts';
import { startStack } from '../../src/local/stack.ts';
import type { Bench } from '../report.ts';
import { keyPool } from '../seed.ts';

const drill: Bench = async ({ figure, progress }) => {
  const stack = await startStack({ keyPool, settings: drillSettings, onLog: () => undefined });
  try {
    await prepareCanary(stack);
    progress('monitoring: a revocation drill, in about two minutes');
    await stack.host.invokeTimer('drill');
    const api = caller(stack.host.url, { 'x-functions-key': stack.host.keys.function });
    const { body } = await api('GET', '/api/operator/drills');
    const [{ refusedSeconds = Number.NaN, restoredSeconds = Number.NaN }] = body.value;
    figure('drill.refusedSeconds', refusedSeconds, 's', { atMost: body.bounds.refusedSeconds });
    figure('drill.restoredSeconds', restoredSeconds, 's', { atMost: body.bounds.restoredSeconds });
  } finally {
    await stack.stop();
  }
};

export default drill;
