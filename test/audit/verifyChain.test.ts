import { describe, expect, it } from 'vitest';
import { type AuditEntry, appendEntry, type ChainHead, emptyChain, headOf } from '../../src/core/audit/auditEntry.ts';
import type { ChainRow } from '../../src/core/audit/chainCheck.ts';
import { type VerificationRequest, verifyChain } from '../../src/core/audit/verifyChain.ts';
import { Unavailable } from '../../src/core/base/errors.ts';
import type { Kek } from '../../src/core/crypto/accountKeyEnvelope.ts';
import { KeyMaterialMismatch } from '../../src/core/crypto/accountKeyEnvelope.ts';
import type { Rings } from '../../src/core/rings/ring.ts';
import { fixedRandom } from '../builders.ts';

const chain = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const kek: Kek = { generation: 1, key: new Uint8Array(32).fill(0x11) };
const forger: Kek = { generation: 1, key: new Uint8Array(32).fill(0x99) };
const actor = { kind: 'principal', id: 'ops' } as const;

function chainOf(length: number, about = chain, key = kek, from: ChainHead = emptyChain): AuditEntry[] {
  const entries: AuditEntry[] = [];
  let head = from;
  for (let n = 0; n < length; n++) {
    const entry = appendEntry(about, head, { type: 'AccountUpdated', actor, after: about }, n, key, fixedRandom);
    entries.push(entry);
    head = headOf(entry);
  }
  return entries;
}

const headAt = (entries: readonly AuditEntry[], n = entries.length): ChainHead =>
  n === 0 ? emptyChain : headOf(entries[n - 1] ?? expect.fail());
const rowsOf = (entries: readonly AuditEntry[]): ChainRow[] =>
  entries.map((entry) => ({ position: entry.sequence, entry }));

interface Stand {
  readonly rows: readonly ChainRow[];
  readonly head: ChainHead | (() => ChainHead);
  /** The number of pages that a call has time for. */
  readonly pages?: number;
}

/** The store returns the largest page that was requested. */
async function verify({ rows, head, pages = 1000 }: Stand, input: VerificationRequest = {}) {
  let [asked, largest] = [0, 0];
  const logged: unknown[] = [];
  const seen = await verifyChain(
    {
      id: chain,
      head: async () => (typeof head === 'function' ? head() : head),
      async page({ limit, after = '0' }) {
        asked += 1;
        largest = Math.max(largest, limit);
        const from = rows.filter(({ position }) => position === 0 || position > Number(after));
        const page = from.slice(0, limit);
        return page.length < limit ? { rows: page } : { rows: page, next: String(page.at(-1)?.position) };
      },
    },
    input,
    {
      rings: async () =>
        ({
          audit: {
            kek(generation: number) {
              if (generation === 1) return kek;
              if (generation === 2) throw new Unavailable('ServiceUnavailable', 'not opened yet', 1);
              throw new KeyMaterialMismatch();
            },
          },
        }) as Rings,
      clock: { now: () => 0, monotonic: () => (asked >= pages ? 1e9 : 0) },
      log: {
        info: () => undefined,
        warn: () => undefined,
        error: (message, fields) => void logged.push(message, fields),
      },
    },
  );
  return { ...seen, largest, logged };
}

const long = chainOf(2500);
const five = chainOf(5);
const edited = (n: number, changes: Record<string, unknown>) =>
  rowsOf(five).map((row) =>
    row.position === n ? { ...row, entry: { ...(row.entry as AuditEntry), ...changes } } : row,
  );

describe('verifying a chain', () => {
  it('a verification reads a chain of any length in pages of a thousand', async () => {
    const seen = await verify({ rows: rowsOf(long), head: headAt(long) });
    expect(seen).toMatchObject({ result: 'whole', entries: 2500, verified: headAt(long), largest: 1000 });
  });

  it('a verification stops when its time is over, and the next call continues from there to the end', async () => {
    const stand = { rows: rowsOf(long), head: headAt(long), pages: 1 };
    const announced = [headAt(long, 3), headAt(long, 1500)];
    let [after, calls, compared]: [ChainHead | undefined, number, number] = [undefined, 0, 0];
    for (;;) {
      const seen = await verify(stand, { after, announced });
      calls += 1;
      compared += seen.compared;
      after = seen.verified;
      if (seen.result !== 'unfinished') {
        expect({ result: seen.result, calls, compared, after }).toEqual({
          result: 'whole',
          calls: 3,
          compared: 2,
          after: headAt(long),
        });
        return;
      }
    }
  });

  it('a verification accepts an entry that is written while it reads', async () => {
    let reads = 0;
    const head = () => headAt(five, ++reads === 1 ? 3 : 5);
    expect(await verify({ rows: rowsOf(five), head })).toMatchObject({ result: 'whole', verified: headAt(five) });
  });

  it('a verification accepts an empty chain as intact', async () => {
    expect(await verify({ rows: [], head: emptyChain })).toMatchObject({ result: 'whole', entries: 0, compared: 0 });
  });

  const forged = [...five.slice(0, 2), ...chainOf(3, chain, forger, headAt(five, 2))];
  const other = chainOf(5, '9b2504e0-4f89-41d3-9a0c-0305e82c3301');
  const fork = [...five.slice(0, 3), ...chainOf(2, chain, kek, headAt(chainOf(3, chain, kek, headAt(five, 1)), 2))];

  it.each<[string, Stand, number, string]>([
    ['an entry edited', { rows: edited(3, { after: 'else' }), head: headAt(five) }, 3, 'Edited'],
    [
      'a row that holds nothing of ours',
      { rows: edited(3, {}).with(2, { position: 3, entry: undefined }), head: headAt(five) },
      3,
      'Edited',
    ],
    ['an entry removed', { rows: rowsOf(five).toSpliced(2, 1), head: headAt(five) }, 3, 'Missing'],
    ['its first entries removed', { rows: rowsOf(five).slice(2), head: headAt(five) }, 1, 'Missing'],
    ['its last entries removed', { rows: rowsOf(five).slice(0, 3), head: headAt(five) }, 4, 'Missing'],
    [
      'two rows in each other’s position',
      {
        rows: rowsOf(five).with(1, { position: 2, entry: five[2] }).with(2, { position: 3, entry: five[1] }),
        head: headAt(five),
      },
      ...([2, 'OutOfOrder'] as const),
    ],
    [
      'a row twice',
      { rows: rowsOf(five).toSpliced(2, 0, { position: 2, entry: five[1] }), head: headAt(five) },
      3,
      'OutOfOrder',
    ],
    [
      'a row without a position',
      { rows: rowsOf(five).toSpliced(2, 0, { position: 0, entry: five[2] }), head: headAt(five) },
      3,
      'OutOfOrder',
    ],
    [
      'a row of another chain',
      { rows: rowsOf(five).with(1, { position: 2, entry: other[1] }), head: headAt(five) },
      2,
      'Foreign',
    ],
    ['a generation that there is not', { rows: edited(2, { keyGeneration: 9 }), head: headAt(five) }, 2, 'KeyUnknown'],
    [
      'a generation that is no number',
      { rows: edited(2, { keyGeneration: '1' }), head: headAt(five) },
      2,
      'KeyUnknown',
    ],
    ['its end written anew without the key, and the head', { rows: rowsOf(forged), head: headAt(forged) }, 3, 'Edited'],
    ['an end of ours that followed another entry', { rows: rowsOf(fork), head: headAt(fork) }, 4, 'NotLinked'],
    ['another head of that sequence', { rows: rowsOf(five), head: headAt(forged) }, 5, 'HeadDiffers'],
    ['a head that is behind', { rows: rowsOf(five), head: headAt(five, 3) }, 4, 'BeyondHead'],
    ['no head', { rows: rowsOf(five), head: emptyChain }, 1, 'BeyondHead'],
  ])('INV-6: a verification finds a chain with %s broken there, and logs it', async (_, stand, sequence, flaw) => {
    const broken = { sequence, flaw };
    const { logged, ...seen } = await verify(stand);
    expect(seen).toMatchObject({ result: 'broken', broken });
    expect(logged).toEqual(['Audit verification found a broken chain', { chain, ...broken }]);
  });

  it('INV-6: only published heads show that a chain was set back as a whole to an older state', async () => {
    const older = { rows: rowsOf(five.slice(0, 3)), head: headAt(five, 3) };
    expect(await verify(older)).toMatchObject({ result: 'whole' });
    expect(await verify(older, { announced: [headAt(five, 2), headAt(five)] })).toMatchObject({
      result: 'broken',
      broken: { sequence: 4, flaw: 'Missing' },
      compared: 1,
    });
    // Since then the chain has grown on another branch.
    const regrown = [...five.slice(0, 3)];
    for (const after of ['a', 'b', 'c'])
      regrown.push(appendEntry(chain, headAt(regrown), { type: 'AccountUpdated', actor, after }, 9, kek, fixedRandom));
    const stand = { rows: rowsOf(regrown), head: headAt(regrown) };
    expect(await verify(stand)).toMatchObject({ result: 'whole' });
    expect(await verify(stand, { announced: [headAt(five)] })).toMatchObject({
      result: 'broken',
      broken: { sequence: 5, flaw: 'AnnouncedDiffers' },
    });
  });

  it('a verification continues only from a link that is still stored', async () => {
    const stand = { rows: rowsOf(five), head: headAt(five) };
    expect(await verify(stand, { after: headAt(five) })).toMatchObject({ result: 'whole', entries: 0 });
    expect(await verify(stand, { after: { ...headAt(five, 4), hash: 'x' } })).toMatchObject({
      result: 'broken',
      broken: { sequence: 5, flaw: 'NotLinked' },
    });
    expect(
      await verify({ ...stand, rows: rowsOf(five.slice(0, 2)), head: headAt(five, 2) }, { after: headAt(five, 4) }),
    ).toMatchObject({
      result: 'broken',
      broken: { sequence: 3, flaw: 'BeyondHead' },
    });
  });

  it('a verification does not report a generation as unknown that could not be opened yet', async () => {
    await expect(verify({ rows: edited(2, { keyGeneration: 2 }), head: headAt(five) })).rejects.toThrow(
      'not opened yet',
    );
  });
});
