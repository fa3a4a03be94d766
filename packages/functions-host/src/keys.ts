/**
 * Access keys: a function key or the master key permits `function`, only the master key permits `admin` and the /admin
 * pages, and the system key `eventgrid_extension` or the master key permits the Event Grid webhook
 * (learn.microsoft.com/azure/azure-functions/function-keys-how-to).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { AuthLevel } from './functionInfo.ts';

export interface HostKeys {
  master: string;
  /** The host key `default`: valid for every function. */
  function: string;
  eventgrid_extension: string;
}

const newKey = () => randomBytes(40).toString('base64url');

export const createKeys = (given: Partial<HostKeys> = {}): HostKeys => ({
  master: given.master ?? newKey(),
  function: given.function ?? newKey(),
  eventgrid_extension: given.eventgrid_extension ?? newKey(),
});

const digest = (text: string) => createHash('sha256').update(text).digest();
const same = (left: string, right: string) => timingSafeEqual(digest(left), digest(right));

/** The key of a request; the header takes precedence over the query. */
export function presentedKey(header: string | undefined, query: URLSearchParams): string | undefined {
  const fromQuery = [...query].find(([name]) => name.toLowerCase() === 'code')?.[1];
  return header ?? fromQuery;
}

const isOneOf = (presented: string | undefined, allowed: string[]): boolean =>
  presented !== undefined && allowed.some((key) => same(presented, key));

export function canCall(level: AuthLevel, presented: string | undefined, keys: HostKeys): boolean {
  switch (level) {
    case 'anonymous':
      return true;
    case 'function':
      return isOneOf(presented, [keys.function, keys.master]);
    case 'admin':
      return isOneOf(presented, [keys.master]);
  }
}

export const canDeliver = (presented: string | undefined, keys: HostKeys): boolean =>
  isOneOf(presented, [keys.eventgrid_extension, keys.master]);
