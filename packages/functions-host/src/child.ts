/** Starts main.ts as a child process: for a second host with settings of its own, and for a host that is to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { HostOptions } from './host.ts';
import type { HostKeys } from './keys.ts';

/** What can be said in JSON: no log sink and no timer status. */
export type ChildOptions = Omit<HostOptions, 'onLog' | 'timerStatus'>;

export interface ChildHost {
  url: string;
  keys: HostKeys;
  process: ChildProcess;
  /** Ends it in order: triggers, work in flight, appTerminate hooks. */
  stop(): Promise<void>;
  /** SIGKILL: whatever it was doing stays undone. */
  kill(): Promise<void>;
}

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

/** The first line of standard output, or an error with what it wrote to standard error before it died. */
function ready(child: ChildProcess, onStderr: (text: string) => void): Promise<{ url: string; keys: HostKeys }> {
  let out = '';
  let err = '';
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      const [line, rest] = out.split('\n', 2);
      if (line !== undefined && rest !== undefined) resolve(JSON.parse(line));
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      err += text;
      onStderr(text);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => reject(new Error(`The host ended (${code ?? signal}): ${err.trim()}`)));
  });
}

/** What the child writes to standard error, warnings and worse, goes to `onStderr`; by default to ours. */
export async function spawnHost(
  options: ChildOptions,
  onStderr: (text: string) => void = (text) => process.stderr.write(text),
): Promise<ChildHost> {
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, HOST_OPTIONS: JSON.stringify(options) },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const started = await ready(child, onStderr);
  const ended = once(child, 'close');
  const endBy = async (act: () => void) => {
    if (child.exitCode === null && child.signalCode === null) act();
    await ended;
  };
  return {
    ...started,
    process: child,
    stop: () => endBy(() => child.stdin?.end()),
    kill: () => endBy(() => child.kill('SIGKILL')),
  };
}
