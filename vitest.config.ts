import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Dozens of processes load the same SDKs and Azurite: V8 compiles them once (Node's documentation, module.enableCompileCache).
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/node', import.meta.url));

export default defineConfig({
  test: {
    include: ['{test,packages/*/test}/**/*.test.ts'],
    // Against tests that hang: far above what the slowest takes on a machine that is busy with other work.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most files wait more than they compute (queues polled, looks that come due): more of them at once than cores.
    maxWorkers: 4,
    isolate: false,
    setupFiles: ['test/resetModules.ts'],
    // The built bundle is loaded as Node loads it: Vite must not rewrite it.
    server: { deps: { external: [/\/dist\//] } },
    coverage: { provider: 'v8', include: ['src/**', 'packages/*/src/**'], reporter: ['text-summary', 'html'] },
  },
});
