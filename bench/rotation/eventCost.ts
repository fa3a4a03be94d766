/**
 * The cost of one event does not grow with the service: an event of the same key among 2,000 accounts, and among
 * 20,000.
 */
import { startLab } from '../../src/local/lab/lab.ts';
import type { Bench } from '../report.ts';
import { keyPool, seedAccounts } from '../seed.ts';
import { measureEvent, namesOf } from './measure.ts';

const ofKey = 100;
const keys = 10;

const eventCost: Bench = async (report) => {
  const lab = await startLab({ keyPool });
  try {
    const names = namesOf('event', ofKey);
    await seedAccounts(names, await lab.vaultWithKey('event-kv'), lab.service);
    const identifiers: string[] = [];
    for (let n = 0; n < keys; n++) identifiers.push(await lab.vaultWithKey(`others-${n}`));
    const fillUpTo = async (total: number) => {
      for (const [n, identifier] of identifiers.entries()) {
        report.progress(`rotation: filling up to ${total} accounts, key ${n + 1} of ${keys}`);
        await seedAccounts(namesOf(`others-${total}-${n}`, (total - already) / keys), identifier, lab.service);
      }
      already = total;
    };
    let already = ofKey;
    await fillUpTo(2_000);
    const few = await measureEvent('event-kv', names, lab);
    await fillUpTo(20_000);
    lab.clock.set(lab.clock.now() + 300_000);
    const many = await measureEvent('event-kv', names, lab);
    report.progress(`rotation: ${few} requests among 2,000 accounts, ${many} among 20,000`);
    report.figure('event.costGrowth', many / few, 'times', { atMost: 1.05 });
  } finally {
    await lab.stop();
  }
};

export default eventCost;
