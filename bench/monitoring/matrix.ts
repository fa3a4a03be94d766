/**
 * The whole fault matrix, in virtual time: it counts wrongly blocked accounts, and accounts that should be blocked and
 * are not.
 */
import { startLab } from '../../src/local/lab/lab.ts';
import { rows } from '../../src/local/matrix/rows.ts';
import { runMatrix } from '../../src/local/matrix/run.ts';
import { reportedCauses, runSetTime } from '../../src/local/matrix/setTime.ts';
import type { Bench } from '../report.ts';
import { keyPool } from '../seed.ts';

const matrix: Bench = async (report) => {
  const outcomes = await runMatrix(rows, { keyPool, onProgress: (text) => report.progress(`matrix: ${text}`) });
  const wrong = outcomes.filter(({ wrongDisable }) => wrongDisable);
  const missed = outcomes.filter(({ missedDisable }) => missedDisable);
  for (const { row } of wrong) report.progress(`blocked wrongly: ${row.name}`);
  for (const { row } of missed) report.progress(`not blocked: ${row.name}`);
  const lab = await startLab({ keyPool });
  const refusals = await runSetTime(lab);
  await lab.stop();
  const causes = new Set([...outcomes.flatMap(({ cause }) => cause ?? []), ...reportedCauses(refusals)]);
  report.figure('monitoring.wrongDisables', wrong.length, 'rows', { exactly: 0 });
  report.figure('monitoring.missedDisables', missed.length, 'rows', { exactly: 0 });
  report.figure('monitoring.causes', causes.size, 'causes', { atLeast: 20 });
};

export default matrix;
