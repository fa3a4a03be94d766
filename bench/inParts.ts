/** A bench that consists of several files. */
import type { Bench } from './report.ts';

/**
 * Runs the files one after the other, each in a process of its own, so that none slows another down. A file that fails
 * stops no other. Paths are relative to this folder. @throws Error that names each file that failed
 */
export const inParts =
  (files: readonly string[]): Bench =>
  async (report) => {
    const failed: string[] = [];
    for (const file of files) {
      await report.inOwnProcess(new URL(file, import.meta.url)).catch((error: Error) => failed.push(error.message));
    }
    if (failed.length > 0) throw new Error(failed.join('; '));
  };
