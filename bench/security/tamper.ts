/** Every edit of the world of tampering.ts: how many the service accepted without a report, and what others noticed. */
import type { Bench } from '../report.ts';
import { keyPool } from '../seed.ts';
import { isSilent, startTamperingWorld } from './tampering.ts';

const tamper: Bench = async (report) => {
  const world = await startTamperingWorld(keyPool, ['one', 'two']);
  try {
    let [silent, others] = [0, 0];
    for (const [n, edit] of world.edits.entries()) {
      const outcome = await world.try(edit);
      const name = `${edit.table}/${edit.row.partitionKey}/${edit.row.rowKey}, ${edit.property} ${edit.what}`;
      if (isSilent(outcome)) {
        silent += 1;
        report.progress(`accepted silently: ${name}: ${outcome.changed.join(', ')}`);
      }
      if (outcome.others.length > 0) {
        others += 1;
        report.progress(`noticed by others: ${name}: ${outcome.others.join(', ')}`);
      }
      if (n % 100 === 0) report.progress(`${n} of ${world.edits.length} edits of rows`);
    }
    report.figure('tamper.rowsTried', world.edits.length, 'edits', { atLeast: 2_000 });
    report.figure('tamper.acceptedSilently', silent, 'edits', { exactly: 0 });
    report.figure('tamper.noticedByOthers', others, 'edits', { exactly: 0 });
  } finally {
    await world.stop();
  }
};

export default tamper;
