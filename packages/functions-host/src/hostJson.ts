/**
 * host.json, parsed and checked: the fields that change what this host does. It ignores other extensions, `logging` and
 * `extensionBundle`. Defaults are the documented ones (learn.microsoft.com/azure/azure-functions/functions-host-json
 * and the Storage queue, HTTP and Event Hubs extensions).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface QueueSettings {
  batchSize: number;
  /** The next batch is fetched when at most this many messages of the function are in work. */
  newBatchThreshold: number;
  maxDequeueCount: number;
  /** How long a message stays hidden after a failure, in ms. */
  visibilityTimeoutMs: number;
  /** The longest pause between polls of an empty queue, in ms. */
  maxPollingIntervalMs: number;
  messageEncoding: 'base64' | 'none';
}

export interface HttpSettings {
  /** Without slashes at its ends; '' serves functions at the root. */
  routePrefix: string;
  /** Requests beyond this many, waiting or running, are answered 429. -1: no bound. */
  maxOutstandingRequests: number;
  /** Requests running at one time; the others wait. -1: no bound. */
  maxConcurrentRequests: number;
}

export interface EventHubSettings {
  maxEventBatchSize: number;
}

export interface HostJson {
  http: HttpSettings;
  queues: QueueSettings;
  eventHubs: EventHubSettings;
  /** How long an invocation can run, in ms; undefined: unbounded. */
  functionTimeoutMs: number | undefined;
}

/** A .NET TimeSpan, `[d.]hh:mm:ss[.fff]`, in ms; undefined for other text. */
export function parseTimeSpan(text: string): number | undefined {
  const match = /^(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d{1,7})?$/.exec(text);
  if (match === null) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0, fraction = 0] = match.slice(1).map((part) => Number(part ?? 0));
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds + fraction) * 1000;
}

type Section = Record<string, unknown>;

/** Reads the fields of one section; an invalid field is an error that names file and field. */
function reader(file: string, path: string, section: Section) {
  const fail = (field: string, rule: string, value: unknown): never => {
    throw new Error(`${file}: ${path}${field} must be ${rule}, not ${JSON.stringify(value)}`);
  };
  return {
    section(field: string): Section {
      const value = section[field] ?? {};
      return typeof value === 'object' && !Array.isArray(value)
        ? (value as Section)
        : fail(field, 'an object', section[field]);
    },
    whole(field: string, fallback: number, min: number, max: number): number {
      const value = section[field] ?? fallback;
      const fits = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
      const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      return fits ? value : fail(field, `a whole number ${range}`, value);
    },
    span(field: string, fallback: string): number {
      const value = section[field] ?? fallback;
      const ms = typeof value === 'string' ? parseTimeSpan(value) : undefined;
      return ms ?? fail(field, 'a time such as "00:00:10"', value);
    },
    text(field: string, fallback: string): string {
      const value = section[field] ?? fallback;
      return typeof value === 'string' ? value : fail(field, 'text', value);
    },
    oneOf<T extends string>(field: string, allowed: readonly T[], fallback: T): T {
      const value = section[field] ?? fallback;
      const found = allowed.find((one) => typeof value === 'string' && one === value.toLowerCase());
      return found ?? fail(field, allowed.map((one) => `"${one}"`).join(' or '), value);
    },
  };
}

export function parseHostJson(text: string, file: string): HostJson {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new Error(`${file} must hold an object`);
  }
  const root = content as Section;
  if (root.version !== '2.0') {
    throw new Error(`${file}: version must be "2.0", not ${JSON.stringify(root.version)}`);
  }
  const top = reader(file, '', root);
  const extensions = top.section('extensions');
  const atExtensions = reader(file, 'extensions.', extensions);
  const http = reader(file, 'extensions.http.', atExtensions.section('http'));
  const queues = reader(file, 'extensions.queues.', atExtensions.section('queues'));
  const eventHubs = reader(file, 'extensions.eventHubs.', atExtensions.section('eventHubs'));
  const many = Number.MAX_SAFE_INTEGER;
  const batchSize = queues.whole('batchSize', 16, 1, 32);
  return {
    http: {
      routePrefix: http.text('routePrefix', 'api').replace(/^\/+|\/+$/g, ''),
      maxOutstandingRequests: http.whole('maxOutstandingRequests', -1, -1, many),
      maxConcurrentRequests: http.whole('maxConcurrentRequests', -1, -1, many),
    },
    queues: {
      batchSize,
      newBatchThreshold: queues.whole('newBatchThreshold', Math.floor(batchSize / 2), 0, many),
      maxDequeueCount: queues.whole('maxDequeueCount', 5, 1, many),
      visibilityTimeoutMs: queues.span('visibilityTimeout', '00:00:00'),
      maxPollingIntervalMs: Math.max(100, queues.span('maxPollingInterval', '00:01:00')),
      messageEncoding: queues.oneOf('messageEncoding', ['base64', 'none'], 'base64'),
    },
    eventHubs: { maxEventBatchSize: eventHubs.whole('maxEventBatchSize', 100, 1, many) },
    // 30 minutes is the default of every plan but Consumption; -1 is unbounded.
    functionTimeoutMs: root.functionTimeout === '-1' ? undefined : top.span('functionTimeout', '00:30:00'),
  };
}

export function readHostJson(appDir: string): HostJson {
  const file = join(appDir, 'host.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new Error(`${file} cannot be read; every function app has one, at least {"version":"2.0"}`);
  }
  return parseHostJson(text, file);
}
