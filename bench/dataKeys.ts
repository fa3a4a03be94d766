/**
 * `npm run bench -- dataKeys`: the client's encryption beside the bare cipher and the AWS Encryption SDK, the cost of calls on data keys,
 * and the time from a revocation to the last plaintext in four client processes.
 */
import type { Bench } from './report.ts';

const parts = ['./dataKeys/encryption.ts', './dataKeys/calls.ts', './dataKeys/revocation.ts'];

const dataKeys: Bench = async (report) => {
  const failed: string[] = [];
  for (const part of parts) {
    await report.inOwnProcess(new URL(part, import.meta.url)).catch((error: Error) => failed.push(error.message));
  }
  if (failed.length > 0) throw new Error(failed.join('; '));
};

export default dataKeys;
