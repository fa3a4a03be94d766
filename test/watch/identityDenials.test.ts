import { describe, expect, it } from 'vitest';
import { type IdentityDenials, isInBurst, ownersToAnnounce, withDenial } from '../../src/core/watch/identityDenials.ts';
import { start } from '../builders.ts';

const second = 1_000;
const none: IdentityDenials = { identity: { useSystemAssignedIdentity: true }, denials: [] };
/** Denials of owners, by the second in which they began. */
const denied = (seconds: Readonly<Record<string, number>>, state = none) =>
  Object.entries(seconds).reduce((s, [owner, at]) => withDenial(s, { owner, since: start + at * second }), state);
const isHeld = (state: IdentityDenials, at: number) => isInBurst(state, start + at * second);

describe('denials of a principal that nothing names', () => {
  it.each([
    ['three owners in 120 s', { a: 0, b: 60, c: 120 }, true],
    ['three owners in 121 s', { a: 0, b: 60, c: 121 }, false],
    ['two owners at once', { a: 0, b: 0 }, false],
    ['ten denials of one owner', { a: 0 }, false],
  ])('%s: the first is held back: %j, %s', (_, seconds, held) => {
    expect(isHeld(denied(seconds), 0)).toBe(held);
  });

  it('an owner that revokes an hour after a burst is not held back', () => {
    expect(isHeld(denied({ d: 3_700 }, denied({ a: 0, b: 1, c: 2 })), 3_700)).toBe(false);
  });

  it('denials of a principal that nothing names are no longer held back after the operator has confirmed them, and a later burst is', () => {
    const confirmed = { ...denied({ a: 0, b: 1, c: 2 }), confirmedAt: start + 300 * second };
    expect(isHeld(confirmed, 0)).toBe(false);
    expect(isHeld(denied({ d: 400, e: 401, f: 402 }, confirmed), 400)).toBe(true);
  });

  it('denials of a principal that nothing names are announced three minutes after the first, with all owners, and once', () => {
    const state = denied({ a: 0, b: 70, c: 115 });
    expect(ownersToAnnounce(state, 'new', start + 179 * second)).toEqual([]);
    expect(ownersToAnnounce(state, 'new', start + 180 * second)).toEqual(['a', 'b', 'c']);
    const announced = { ...state, announced: { at: start + 180 * second, principalId: 'new' } };
    expect(ownersToAnnounce(announced, 'new', start + 9_000 * second)).toEqual([]);
    expect(ownersToAnnounce(announced, undefined, start + 9_000 * second)).toEqual([]);
    expect(ownersToAnnounce(announced, 'newer', start + 9_000 * second)).toEqual(['a', 'b', 'c']);
    const later = withDenial(announced, { owner: 'd', since: start + 600 * second, isReplaced: true });
    expect(ownersToAnnounce(later, 'new', start + 780 * second)).toEqual(['d']);
    expect(ownersToAnnounce(denied({ d: 600 }, announced), 'new', start + 780 * second)).toEqual([]);
  });
});
