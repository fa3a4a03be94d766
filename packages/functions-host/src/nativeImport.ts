/**
 * `import()` by Node itself. A test runner rewrites `import()` in the files it transforms; this file is loaded by
 * `require`, so nothing rewrites it, and the app is loaded exactly as the Functions worker loads it.
 */
export const nativeImport = (url: string): Promise<unknown> => import(url);
