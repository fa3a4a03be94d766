import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AuditEntry, appendEntry, type ChainHead, emptyChain, headOf } from '../../src/core/audit/auditEntry.ts';
import type { AuditFacts } from '../../src/core/audit/auditFacts.ts';
import type { Kek } from '../../src/core/crypto/accountKeyEnvelope.ts';
import { fixedRandom, start } from '../builders.ts';
import { firstBrokenLink } from '../chain.ts';

const chain = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const keks: Record<number, Kek> = {
  1: { generation: 1, key: new Uint8Array(32).fill(0x11) },
  2: { generation: 2, key: new Uint8Array(32).fill(0x22) },
};
function kekOf(generation: number): Kek {
  const kek = keks[generation];
  if (kek === undefined) throw new Error(`no generation ${generation}`);
  return kek;
}

const actor = { kind: 'principal', id: 'ops' } as const;
const facts: AuditFacts[] = [
  { type: 'AccountCreated', actor, key: 'SystemKey' },
  { type: 'AccountKeyChanged', actor, before: 'SystemKey', after: 'https://contoso.vault.azure.net/keys/cmk/1' },
  { type: 'CustomerKeyInaccessible', actor: { kind: 'keyward', id: 'watch' }, cause: 'KeyDisabled', epoch: 1 },
  { type: 'CustomerKeyRestored', actor: { kind: 'keyward', id: 'watch' }, epoch: 2 },
  { type: 'AccountDeleted', actor },
];

/** A chain with n entries; the audit key changes in the middle. */
function chainOf(length: number, about = chain): AuditEntry[] {
  const entries: AuditEntry[] = [];
  let head: ChainHead = emptyChain;
  for (let i = 0; i < length; i++) {
    const fact = facts[i % facts.length] ?? { type: 'AccountUpdated', actor };
    const entry = appendEntry(about, head, fact, start + i * 1000, kekOf(i < length / 2 ? 1 : 2), fixedRandom);
    entries.push(entry);
    head = headOf(entry);
  }
  return entries;
}

const five = chainOf(5);
const head: ChainHead = { sequence: 5, hash: five[4]?.hash ?? '' };
const edited = (entries: AuditEntry[], at: number, changes: Partial<AuditEntry>) =>
  entries.map((entry, i) => (i === at ? { ...entry, ...changes } : entry));

describe('an audit entry', () => {
  it('an audit entry has an HMAC-SHA-256 over its canonical form (RFC 8785), and the hash of its predecessor', async () => {
    const first = appendEntry(
      chain,
      emptyChain,
      { type: 'AccountCreated', actor, key: 'SystemKey' },
      start,
      kekOf(1),
      fixedRandom,
    );
    const salt = Buffer.alloc(16, 0x5a).toString('base64url');
    const pseudonym = createHmac('sha256', salt).update('["actor","ops"]').digest('base64url');
    const canonical =
      `{"actor":{"id":"${pseudonym}","kind":"principal"},"at":"2026-11-23T12:00:00.000Z","chain":"${chain}",` +
      '"format":2,"key":"SystemKey","keyGeneration":1,"previousHash":"","sequence":1,"type":"AccountCreated"}';
    const hash = createHmac('sha256', Buffer.alloc(32, 0x11)).update(canonical).digest('base64url');
    expect(first).toMatchObject({ sequence: 1, previousHash: '', keyGeneration: 1, actor, salt, hash });
    const second = appendEntry(
      chain,
      headOf(first),
      { type: 'AccountDeleted', actor },
      start + 1000,
      kekOf(2),
      fixedRandom,
    );
    expect(second).toMatchObject({ sequence: 2, previousHash: hash, keyGeneration: 2, at: '2026-11-23T12:00:01.000Z' });
  });
});

describe('INV-6: a chain', () => {
  it('INV-6: a chain is intact as it was written, and when it is empty', async () => {
    expect(await firstBrokenLink(chain, five, head, kekOf)).toBeUndefined();
    expect(await firstBrokenLink(chain, [], emptyChain, kekOf)).toBeUndefined();
  });

  it('INV-6: a chain is intact after a round trip through JSON that reorders its fields', async () => {
    const stored = five.map((entry) => JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(entry).reverse()))));
    expect(await firstBrokenLink(chain, stored, head, kekOf)).toBeUndefined();
  });

  it.each<[string, AuditEntry[], number]>([
    ['another type', edited(five, 2, { type: 'CustomerKeyRestored' }), 3],
    ['another actor', edited(five, 0, { actor: { kind: 'principal', id: 'mallory' } }), 1],
    ['another cause', edited(five, 2, { cause: 'KeyNotFound' }), 3],
    ['a field more', edited(five, 1, { keyVaultRequestId: 'x' }), 2],
    ['another time', edited(five, 4, { at: '2026-11-23T12:00:04.001Z' }), 5],
    ['another audit key generation', edited(five, 1, { keyGeneration: 2 }), 2],
    ['another sequence number', edited(five, 3, { sequence: 5 }), 4],
    ['another hash before it', edited(five, 3, { previousHash: five[1]?.hash ?? '' }), 4],
    ['another hash', edited(five, 3, { hash: five[1]?.hash ?? '' }), 4],
    ['an empty hash', edited(five, 4, { hash: '' }), 5],
  ])('INV-6: a chain with %s in one entry is broken at that entry', async (_, entries, expected) => {
    expect(await firstBrokenLink(chain, entries, head, kekOf)).toBe(expected);
  });

  it.each<[string, AuditEntry[], number]>([
    ['its first entry removed', five.slice(1), 1],
    ['an entry removed from the middle', five.toSpliced(2, 1), 3],
    ['its last entry removed', five.slice(0, 4), 5],
    ['all entries removed', [], 1],
    ['an entry doubled', five.toSpliced(2, 0, ...five.slice(1, 2)), 3],
    ["two entries in each other's position", [2, 1, 3, 4, 5].flatMap((n) => five.slice(n - 1, n)), 1],
    ['an entry of another chain put in', five.toSpliced(1, 1, ...chainOf(5, 'other').slice(1, 2)), 2],
  ])('INV-6: a chain with %s is broken there', async (_, entries, expected) => {
    expect(await firstBrokenLink(chain, entries, head, kekOf)).toBe(expected);
  });

  it('INV-6: a chain that is longer than its head says is broken after the head', async () => {
    expect(await firstBrokenLink(chain, chainOf(6), head, kekOf)).not.toBeUndefined();
  });

  it('INV-6: a chain whose head counts one entry more is broken after its last entry', async () => {
    expect(await firstBrokenLink(chain, five, { ...head, sequence: 6 }, kekOf)).toBe(6);
  });

  it('INV-6: a chain of another account is broken from its first entry, although every link is valid', async () => {
    const other = chainOf(5, 'other');
    expect(await firstBrokenLink('other', other, { sequence: 5, hash: other[4]?.hash ?? '' }, kekOf)).toBeUndefined();
    expect(await firstBrokenLink(chain, other, { sequence: 5, hash: other[4]?.hash ?? '' }, kekOf)).toBe(1);
  });

  it('INV-6: a chain that a writer without the key has rewritten from some entry on is broken at that entry', async () => {
    const forger: Kek = { generation: 2, key: new Uint8Array(32) };
    const forged = five.slice(0, 3);
    let last = headOf(five[2] ?? ({} as AuditEntry));
    for (const fact of facts.slice(3)) {
      const entry = appendEntry(chain, last, fact, start, forger, fixedRandom);
      forged.push(entry);
      last = headOf(entry);
    }
    expect(await firstBrokenLink(chain, forged, last, kekOf)).toBe(4);
  });

  it('INV-6: a chain under other audit keys is broken from its first entry', async () => {
    const other = (generation: number): Kek => ({ generation, key: new Uint8Array(32).fill(0x99) });
    expect(await firstBrokenLink(chain, five, head, other)).toBe(1);
  });

  it('INV-6: a chain with any edits is broken at the first of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.nat(), fc.nat(), fc.nat(3), async (length, a, b, kind) => {
        const entries = chainOf(length);
        const last = headOf(entries[length - 1] ?? ({} as AuditEntry));
        const [at, other] = [a % length, b % length];
        const [low, high] = [Math.min(at, other), Math.max(at, other)];
        const swapped = entries.map((entry, i) => entries[i === low ? high : i === high ? low : i] ?? entry);
        const tampered = [
          entries.toSpliced(at, 1),
          edited(entries, at, { after: 'edited' }),
          swapped,
          entries.toSpliced(at, 0, ...entries.slice(at, at + 1)),
        ][kind];
        const expected = [at + 1, at + 1, low === high ? undefined : low + 1, at + 2][kind];
        expect(await firstBrokenLink(chain, tampered ?? [], last, kekOf)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });
});
