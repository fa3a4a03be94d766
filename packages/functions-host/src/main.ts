/**
 * One host as its own process: `node packages/functions-host/src/main.ts`, with HostOptions as JSON in the environment
 * variable HOST_OPTIONS or in the file that `--options` names. When ready it prints one line,
 * `{"url":…,"keys":…,"groups":…}`. It stops on SIGTERM, on SIGINT and when its standard input closes, so that it does
 * not outlive its parent. Warnings and errors go to standard error.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runAsOwnProcess } from '../../own-process/src/ownProcess.ts';
import { type HostOptions, startHost } from './host.ts';

function readOptions(): HostOptions {
  const { values } = parseArgs({ options: { options: { type: 'string' } } });
  const text = values.options === undefined ? process.env.HOST_OPTIONS : readFileSync(values.options, 'utf8');
  if (text === undefined)
    throw new Error('The options are missing: set HOST_OPTIONS to JSON, or name a file with --options FILE.');
  // The app must not see the options of its host, which contain keys, in its environment.
  delete process.env.HOST_OPTIONS;
  const options = JSON.parse(text) as Partial<HostOptions>;
  if (typeof options.appDir !== 'string') throw new Error('The options have no appDir.');
  return { settings: {}, ...options, appDir: options.appDir };
}

await runAsOwnProcess(
  () => startHost(readOptions()),
  ({ url, keys, groups }) => ({ url, keys, groups }),
);
