/**
 * `npm run bench -- secrets`: what protecting a secret costs beside the bare ciphers, what a reveal costs in calls, and what a page
 * costs beside one; and what a new version of the system key costs. One part after the other, so that none slows another down.
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
