/**
 * `npm run bench -- security`: edits of stored rows, memory under large bodies without a token, and the cost of a reveal
 * and of a GET, which authenticated rows must not raise.
 */
import type { Bench } from './report.ts';

const parts = ['./security/tamper.ts', './security/flood.ts', './secrets/ciphers.ts', './http/getAccount.ts'];

const security: Bench = async (report) => {
  const failed: string[] = [];
  for (const part of parts) {
    await report.inOwnProcess(new URL(part, import.meta.url)).catch((error: Error) => failed.push(error.message));
  }
  if (failed.length > 0) throw new Error(failed.join('; '));
};

export default security;
