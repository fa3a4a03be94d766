import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Dozens of processes load the same SDKs and Azurite: V8 compiles them once (Node's documentation,
// module.enableCompileCache).
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/node', import.meta.url));

/** The files that take longest, the longest first: one that began last would run alone at the end. */
const slowest = [
  'test/faults/storageFaults',
  'test/matrix.test',
  'test/local/start',
  'test/console/',
  'test/app/openApiFuzz',
  'test/app/permissions',
  'test/matrix/',
  'test/app/inaccessible',
  'test/ams/',
  'test/rings/rotateRing',
  'test/app/announcements',
  'test/app/',
  'test/vaultWork/damageMatrix',
  'test/rotation/',
];

const testFiles = '{test,packages/*/test}/**/*.test.ts';

/** The files of `npm run test:exhaustive`: those with cases that `npm test` leaves out. */
const exhaustive = globSync(testFiles).filter((file) => /\/exhaustive\.ts'/.test(readFileSync(file, 'utf8')));

class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = slowest.findIndex((name) => moduleId.includes(name));
      return at === -1 ? slowest.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'exhaustive' ? exhaustive : [testFiles],
    // Against tests that hang: far above what the slowest takes on a machine that is busy with other work.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Most files wait more than they compute (queues polled, looks that come due): more of them at once than cores.
    maxWorkers: 4,
    isolate: false,
    sequence: { sequencer: SlowestFirst },
    setupFiles: ['test/resetModules.ts'],
    // The built bundle is loaded as Node loads it: Vite must not rewrite it.
    server: { deps: { external: [/\/dist\//] } },
    coverage: { provider: 'v8', include: ['src/**', 'packages/*/src/**'], reporter: ['text-summary', 'html'] },
  },
}));
