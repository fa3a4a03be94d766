/**
 * `npm run bench -- secrets`: the cost of protecting a secret beside the bare ciphers, of a reveal in calls, of a page
 * beside one secret, and of a new version of the system key. One part after the other, so that none slows another down.
 */
import type { Bench } from './report.ts';

const parts = ['./secrets/ciphers.ts', './secrets/calls.ts', './secrets/systemKey.ts'];

const secrets: Bench = async (report) => {
  const failed: string[] = [];
  for (const part of parts) {
    await report.inOwnProcess(new URL(part, import.meta.url)).catch((error: Error) => failed.push(error.message));
  }
  if (failed.length > 0) throw new Error(failed.join('; '));
};

export default secrets;
