/**
 * Whether a test walks the whole product of its cases. `npm test` walks a fixed part, in which each element of each
 * factor occurs. `npm run test:exhaustive` sets Vitest's mode, and `.ci/run` runs it.
 */
export const isExhaustive = process.env.MODE === 'exhaustive';
