/**
 * How much of the tests a run walks. `npm test` shows each behaviour once, with a fixed part of each large list or
 * product of cases. `npm run test:exhaustive` walks all of them: it sets Vitest's mode, and `.ci/run` runs it. Tests
 * that only it runs are skipped in `npm test`: whole products, real processes that are started several times, and walks
 * of a browser whose parts other tests check.
 */
export const isExhaustive = process.env.MODE === 'exhaustive';

/** The cases of this run: all, or in `npm test` the first of every `n`. */
export const oneIn = <T>(n: number, cases: readonly T[]): readonly T[] =>
  isExhaustive ? cases : cases.filter((_, index) => index % n === 0);
