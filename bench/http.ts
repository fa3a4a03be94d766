/**
 * `npm run bench -- http`: the cost of a response beside the table reads that it needs, and the number of wrongly
 * rejected calls under load. One part after the other, so that none slows another down.
 */
import type { Bench } from './report.ts';

const parts = ['./http/getAccount.ts', './http/load.ts'];

const http: Bench = async (report) => {
  const failed: string[] = [];
  for (const part of parts) {
    await report.inOwnProcess(new URL(part, import.meta.url)).catch((error: Error) => failed.push(error.message));
  }
  if (failed.length > 0) throw new Error(failed.join('; '));
};

export default http;
