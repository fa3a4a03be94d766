/** A bench that consists of several files. */
import type { Bench } from './report.ts';

/**
 * Runs the files one after the other, each in a process of its own, so that none slows another down; files of an inner
 * list, which count and do not time, at the same time. A file that fails stops no other. Paths are relative to this
 * folder. @throws Error that names each file that failed
 */
export const inParts =
  (files: readonly (string | readonly string[])[]): Bench =>
  async (report) => {
    const failed: string[] = [];
    const run = (file: string) =>
      report.inOwnProcess(new URL(file, import.meta.url)).catch((error: Error) => failed.push(error.message));
    for (const part of files) await Promise.all([part].flat().map(run));
    if (failed.length > 0) throw new Error(failed.join('; '));
  };
