import { describe, expect, it } from 'vitest';
import type { Expiry, Watch } from '../../src/core/watch/watch.ts';
import { occurrenceFacts } from '../../src/core/watch/watchAuditFacts.ts';
import { aWatch } from '../builders.ts';

const expiresOn = Date.UTC(2026, 11, 24);
const read: Expiry = { readAt: 1, expiresOn };
const withExpiry = (version: string, warning?: Expiry['warning']): Partial<Watch> => ({
  expiries: { [version]: { ...read, ...(warning === undefined ? {} : { warning }) } },
});
const factsFor = (before: Partial<Watch>, after: Partial<Watch>) =>
  occurrenceFacts(aWatch(before), aWatch(after)).map(({ type, key, expiresOn: date }) => [type, key, date]);

describe('an occurrence', () => {
  const date = '2026-12-24T00:00:00.000Z';
  it.each<[string, Partial<Watch>, Partial<Watch>, unknown[]]>([
    [
      'a version that comes near its expiry',
      withExpiry('v'),
      withExpiry('v', 'KeyNearExpiry'),
      [['KeyNearExpiry', 'v', date]],
    ],
    [
      'a version that is known to be near it from the start',
      {},
      withExpiry('v', 'KeyNearExpiry'),
      [['KeyNearExpiry', 'v', date]],
    ],
    [
      'a version that passes it',
      withExpiry('v', 'KeyNearExpiry'),
      withExpiry('v', 'KeyExpired'),
      [['KeyExpired', 'v', date]],
    ],
    ['the same warning again', withExpiry('v', 'KeyNearExpiry'), withExpiry('v', 'KeyNearExpiry'), []],
    ['a date that was put off', withExpiry('v', 'KeyNearExpiry'), withExpiry('v'), []],
    [
      'a new version that cannot be used, which the facts say',
      {},
      { ...withExpiry('v', 'KeyExpired'), unusableVersion: { version: 'v', cause: 'KeyExpired', since: 1 } },
      [],
    ],
    ['our identity in trouble', {}, { identityTroubleSince: 5 }, [['IdentityUnavailable', undefined, undefined]]],
    ['our identity still in trouble', { identityTroubleSince: 5 }, { identityTroubleSince: 5 }, []],
    ['our identity well again', { identityTroubleSince: 5 }, {}, [['IdentityAvailable', undefined, undefined]]],
    ['nothing', {}, {}, []],
  ])('an audit fact of a watch is reported once: %s', (_, before, after, expected) => {
    expect(factsFor(before, after)).toEqual(expected);
  });
});
