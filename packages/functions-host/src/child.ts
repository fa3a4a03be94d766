/**
 * Hosts as child processes: one host with its own settings (`spawnHost`), for a test that kills it for example, or one
 * host with a process for each function group (`spawnGroups`), as Flex Consumption runs an app.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { HostOptions } from './host.ts';
import type { HostKeys } from './keys.ts';

/** The options that JSON can hold: without log sink and timer status. */
export type ChildOptions = Omit<HostOptions, 'onLog' | 'timerStatus'>;

export interface ChildHost {
  url: string;
  keys: HostKeys;
  /** The groups of all functions of the app. */
  groups: string[];
  process: ChildProcess;
  /** Ends it in order: triggers, work in flight, appTerminate hooks. */
  stop(): Promise<void>;
  /** SIGKILL, which interrupts everything. */
  kill(): Promise<void>;
}

type Ready = Pick<ChildHost, 'url' | 'keys' | 'groups'>;

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

/** The first line of standard output; when the process ends before it, an error with its standard error. */
function ready(child: ChildProcess, onStderr: (text: string) => void): Promise<Ready> {
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

/** The child's standard error, with warnings and errors, goes to `onStderr`; default: to this process's. */
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

export interface GroupedHost {
  /** The address of the group `http`. */
  url: string;
  keys: HostKeys;
  /** Each group's process. The admin page of a group runs its functions. */
  groups: Map<string, ChildHost>;
  /** Kills the process of a group and starts another in its place, as the platform replaces an instance. */
  replace(group: string): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** A process for HTTP with Event Grid, and one for each other function: these processes share no memory. */
export async function spawnGroups(options: ChildOptions, onStderr?: (text: string) => void): Promise<GroupedHost> {
  const http = await spawnHost({ ...options, group: 'http' }, onStderr);
  const { url, keys } = http;
  const groups = new Map([['http', http]]);
  const spawnGroup = async (group: string) => {
    const port = group === 'http' ? Number(new URL(url).port) : 0;
    groups.set(group, await spawnHost({ ...options, keys, port, group }, onStderr));
  };
  const all = async (act: (host: ChildHost) => Promise<void>) => {
    await Promise.all([...groups.values()].map(act));
  };
  try {
    await Promise.all(http.groups.filter((group) => group !== 'http').map(spawnGroup));
  } catch (error) {
    await all((host) => host.kill());
    throw error;
  }
  return {
    url,
    keys,
    groups,
    async replace(group) {
      await groups.get(group)?.kill();
      await spawnGroup(group);
    },
    stop: () => all((host) => host.stop()),
    kill: () => all((host) => host.kill()),
  };
}
