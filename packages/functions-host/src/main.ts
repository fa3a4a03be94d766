/**
 * One host in a process of its own: `node packages/functions-host/src/main.ts`, with HostOptions as JSON in the environment variable
 * HOST_OPTIONS (appDir, port, settings, keys, timers, queueVisibilityMs, drainMs) or in the file that `--options`
 * names. When ready it prints one line, `{"url":…,"keys":…}`; it stops on SIGTERM, SIGINT and when its standard input
 * ends, so that it never outlives whoever started it. Warnings and worse go to standard error.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runAsOwnProcess } from '../../own-process/src/ownProcess.ts';
import { type HostOptions, startHost } from './host.ts';

function readOptions(): HostOptions {
  const { values } = parseArgs({ options: { options: { type: 'string' } } });
  const text = values.options === undefined ? process.env.HOST_OPTIONS : readFileSync(values.options, 'utf8');
  if (text === undefined) throw new Error('Give the options as JSON in HOST_OPTIONS, or in a file by --options FILE.');
  // The app must not find its host's options, keys among them, in its environment.
  delete process.env.HOST_OPTIONS;
  const options = JSON.parse(text) as Partial<HostOptions>;
  if (typeof options.appDir !== 'string') throw new Error('The options have no appDir.');
  return { settings: {}, ...options, appDir: options.appDir };
}

await runAsOwnProcess(
  () => startHost(readOptions()),
  ({ url, keys }) => ({ url, keys }),
);
