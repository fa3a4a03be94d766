/** Erased entries: the same chain in another form, which only a holder of the audit key can make. */
import { expect, test } from 'vitest';
import {
  type AuditEntry,
  appendEntries,
  emptyChain,
  erasedEntry,
  hashOf,
  shownEntry,
} from '../../src/core/audit/auditEntry.ts';
import { type AuditFacts, auditTypes } from '../../src/core/audit/auditFacts.ts';
import { linkOf } from '../../src/core/audit/chainCheck.ts';
import type { Kek } from '../../src/core/crypto/accountKeyEnvelope.ts';
import { start } from '../builders.ts';
import { firstBrokenLink } from '../chain.ts';

const chain = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const kek: Kek = { generation: 1, key: new Uint8Array(32).fill(0x11) };
const kekOf = () => kek;
const names = ['person-7', 'doe-family', 'jane@doe.example'];
let draws = 0;
/** Another salt for each entry. */
const random = { bytes: (length: number) => new Uint8Array(length).fill(++draws), uuid: () => '' };

const people: Pick<AuditFacts, 'actor' | 'owners'>[] = [
  { actor: { kind: 'principal', id: 'person-7' } },
  { actor: { kind: 'functionKey', id: 'person-7' }, owners: ['doe-family', 'another'] },
  { actor: { kind: 'customerLink', id: 'person-7' }, owners: ['doe-family'] },
  { actor: { kind: 'keyward', id: 'rewrap' } },
];
const text = { before: '{"tags":{}}', after: '{"tags":{"contact":"jane@doe.example"}}' };
const facts: AuditFacts[] = [
  ...auditTypes.flatMap((type) => people.map((one) => ({ type, ...one }))),
  ...people.map((one) => ({ type: 'AccountUpdated' as const, ...one, ...text })),
  ...people.map((one) => ({ type: 'ClaimReleased' as const, ...one, before: 'doe-family' })),
];
const { entries, head } = appendEntries(chain, emptyChain, facts, start, kek, random);
const erase = (entry: AuditEntry) => erasedEntry(entry, kek) ?? entry;
const erased = entries.map(erase);
const [first = expect.fail()] = entries;
const [firstErased = expect.fail()] = erased;
const flawOf = (entry: unknown) => linkOf(chain, emptyChain, { position: 1, entry }, kekOf);

test('INV-6: a chain with every type of entry and actor verifies before its erasure, after it, and when only a part is erased', async () => {
  expect(await firstBrokenLink(chain, entries, head, kekOf)).toBeUndefined();
  expect(await firstBrokenLink(chain, erased, head, kekOf)).toBeUndefined();
  for (const part of [1, 2, 3]) {
    const partly = entries.map((entry, n) => (n % 4 < part ? erase(entry) : entry));
    expect(await firstBrokenLink(chain, partly, head, kekOf)).toBeUndefined();
  }
});

test('INV-6: an erased entry has no name, owner, text of a caller or salt, and keeps its other facts', () => {
  for (const name of names) expect(JSON.stringify(entries)).toContain(name);
  const stored = JSON.stringify(erased);
  for (const name of [...names, '"salt"']) expect(stored).not.toContain(name);
  expect(firstErased).toMatchObject({ type: 'AccountCreated', chain, sequence: 1, actor: { kind: 'principal' } });
  expect(erased.filter(({ actor }) => actor.kind === 'keyward').map(({ actor }) => actor.id)).toContain('rewrap');
});

test('INV-6: equal names of two entries have different pseudonyms, so an erased chain does not say who acted twice', () => {
  const ids = erased.filter(({ actor }) => actor.kind !== 'keyward').map(({ actor }) => actor.id);
  expect(new Set(ids).size).toBe(ids.length);
});

test('an entry as calls and events return it has no salt and no proof, and says when it is erased', () => {
  expect(shownEntry(first)).toMatchObject({ actor: { kind: 'principal', id: 'person-7' } });
  for (const one of [first, firstErased])
    expect(Object.keys(shownEntry(one))).not.toEqual(expect.arrayContaining(['salt']));
  expect(shownEntry(first)).not.toHaveProperty('erased');
  expect(shownEntry(firstErased)).toMatchObject({ erased: true });
  expect(shownEntry(firstErased)).not.toHaveProperty('format');
});

const { salt: _, ...withoutSalt } = first;
const { erased: proof, ...withoutProof } = firstErased;
const { format: __, ...withoutFormat } = withoutProof;
const second = erased[1] ?? expect.fail();
test.each<[string, object]>([
  ['has its pseudonym in the place of the actor, and no proof', withoutProof],
  ['has its pseudonym, no proof and no format', withoutFormat],
  ['has its pseudonym, and the proof of another entry', { ...withoutProof, erased: second.erased }],
  ['has its pseudonym, and its hash as proof', { ...withoutProof, erased: first.hash }],
  ['has its pseudonym and a proof under another key', { ...withoutProof, erased: hashOf({}, kek) }],
  ['has another pseudonym', { ...firstErased, actor: second.actor }],
  ['has the name and the proof, but no salt', { ...withoutSalt, erased: proof }],
  ['has the name, the salt and the proof', { ...first, erased: proof }],
  ['has the pseudonym, the salt and the proof', { ...firstErased, salt: first.salt }],
  ['has another salt', { ...first, salt: `${first.salt?.slice(0, -1)}x` }],
  ['has no salt', withoutSalt],
  ['has another actor', { ...first, actor: { kind: 'principal', id: 'mallory' } }],
  ['names a part of Keyward as its actor', { ...first, actor: { kind: 'keyward', id: 'person-7' } }],
  ['has an actor that is no text', { ...first, actor: { kind: 'principal', id: 7 } }],
  ['has a list with the actor', { ...first, actor: { kind: 'principal', id: ['person-7'] } }],
  ['has a list of a list with the actor', { ...first, actor: { kind: 'principal', id: [['person-7']] } }],
  ['has its salt and a zero byte', { ...first, salt: `${first.salt}\0` }],
  ['has a list with its salt', { ...first, salt: [first.salt] }],
  ['has no actor', { ...first, actor: undefined }],
])('INV-6: an entry that %s is edited', (_, entry) => {
  expect(flawOf(entry)).toBe('Edited');
});

test('INV-6: an entry with half of a surrogate pair is another one than with the character that replaces it', () => {
  const facts = { type: 'AccountUpdated', actor: { kind: 'keyward', id: 'x' }, before: 'a\ud800', after: 'b' } as const;
  const [entry = expect.fail()] = appendEntries(chain, emptyChain, [facts], start, kek, random).entries;
  expect(flawOf(entry)).toEqual({ sequence: 1, hash: entry.hash });
  expect(flawOf({ ...entry, before: 'a\ufffd' })).toBe('Edited');
});

test('INV-6: the proof of an erasure is no hash of an entry', () => {
  expect(flawOf({ ...firstErased, hash: proof })).toBe('Edited');
});

test('INV-6: verification finds every flipped byte of an erased row', () => {
  const data = JSON.stringify(firstErased);
  expect(flawOf(JSON.parse(data))).toEqual({ sequence: 1, hash: first.hash });
  for (let at = 0; at < data.length; at++) {
    const flipped = data.slice(0, at) + String.fromCharCode(data.charCodeAt(at) ^ 1) + data.slice(at + 1);
    let entry: unknown;
    try {
      entry = JSON.parse(flipped);
    } catch {
      // The row holds no entry.
    }
    expect(typeof flawOf(entry), flipped).toBe('string');
  }
});

test('INV-6: an entry of a store before the erasure, with an actor and without format, verifies', () => {
  const body = { type: 'AccountDeleted', actor: people[0]?.actor, chain, sequence: 1, at: '2026-11-23T12:00:00.000Z' };
  const older = { ...body, previousHash: '', keyGeneration: 1 };
  const entry = { ...older, hash: hashOf(older, kek) };
  expect(flawOf(entry)).toEqual({ sequence: 1, hash: entry.hash });
  expect(erasedEntry(entry as AuditEntry, kek)).toBeUndefined();
});
