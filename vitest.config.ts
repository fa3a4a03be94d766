import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Most files wait more than they compute (queues polled, looks that come due): more of them at once than cores.
    maxWorkers: 4,
    isolate: false,
    setupFiles: ['test/anew.ts'],
    // The built bundle is loaded as Node loads it: Vite must not rewrite it.
    server: { deps: { external: [/\/dist\//] } },
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text-summary', 'html'] },
  },
});
