/**
 * Small function apps for these tests: written to a temporary folder, started, stopped after the test. The source is
 * that of an ES module with `app` of @azure/functions, and with `probe`, an object that test and app share.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { type Host, type HostOptions, type LogRecord, startHost } from '../src/host.ts';

const packages = resolve(import.meta.dirname, '../../../node_modules');

/** A concurrent test passes its own `onTestFinished`; other tests use vitest's. */
export type Finished = (clean: () => void | Promise<void>) => void;

export interface AppFiles {
  source?: string;
  hostJson?: unknown;
  /** More files by name, and the whole of package.json when it must differ. */
  files?: Record<string, string>;
}

export function appFolder(
  { source, hostJson = { version: '2.0' }, files = {} }: AppFiles,
  finished: Finished = onTestFinished,
): string {
  const folder = mkdtempSync(join(tmpdir(), 'host-app-'));
  finished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(packages, join(folder, 'node_modules'));
  const all = {
    'package.json': JSON.stringify({ main: 'app.mjs' }),
    'host.json': JSON.stringify(hostJson),
    ...(source === undefined ? {} : { 'app.mjs': source }),
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

export type Probe = Record<string, unknown> & { seen: unknown[] };

let probes = 0;

export interface Started {
  host: Host;
  probe: Probe;
  records: LogRecord[];
  /** Messages of one level. */
  logged(level: LogRecord['level']): string[];
  /** The messages about functions in error. */
  errors(): string[];
}

type Options = AppFiles & Partial<HostOptions> & { probe?: Record<string, unknown>; finished?: Finished };

export async function startApp(options: Options): Promise<Started> {
  const { source = '', hostJson, files, probe: given, finished = onTestFinished, ...rest } = options;
  const id = `probe-${++probes}`;
  const probe: Probe = { seen: [], ...given };
  (globalThis as Record<string, unknown>)[id] = probe;
  const full = `import { app } from '@azure/functions';\nconst probe = globalThis['${id}'];\n${source}`;
  const appDir =
    rest.appDir ?? appFolder({ source: full, hostJson, ...(files === undefined ? {} : { files }) }, finished);
  const records: LogRecord[] = [];
  const host = await startHost({ settings: {}, onLog: (record) => records.push(record), ...rest, appDir });
  finished(async () => {
    await host.stop();
    delete (globalThis as Record<string, unknown>)[id];
  });
  return {
    host,
    probe,
    records,
    logged: (level) => records.filter((record) => record.level === level).map((record) => record.message),
    errors: () => records.filter(({ category }) => category === 'Host.Startup').map(({ message }) => message),
  };
}

/** A promise that the test resolves. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve: open } = Promise.withResolvers<void>();
  return { opened: promise, open };
}

/**
 * Waits for an asynchronous state, generously, because test machines are busy. Unlike expect.poll it needs no test
 * context.
 */
export function eventually<T>(read: () => T, timeout = 10_000) {
  const settles = (check: (value: Awaited<T>) => void) =>
    vi.waitFor(async () => check(await read()), { timeout, interval: 20 });
  return {
    toBe: (expected: unknown) => settles((value) => expect(value).toBe(expected)),
    toEqual: (expected: unknown) => settles((value) => expect(value).toEqual(expected)),
    toHaveLength: (expected: number) => settles((value) => expect(value).toHaveLength(expected)),
    toContain: (expected: string) => settles((value) => expect(value).toContain(expected)),
    toContainEqual: (expected: unknown) => settles((value) => expect(value).toContainEqual(expected)),
  };
}
