/** Which ranges move, so that each account has as many ranges as another, and as few as possible move. */
import { type Move, rangeCount } from '../../src/azure/shards/layout.ts';

/** @param together ranges that move at the same time */
export function planMoves(owners: readonly number[], accounts: number, together: number): Move[] {
  const quota = (account: number) =>
    account >= accounts ? 0 : Math.floor(rangeCount / accounts) + (account < rangeCount % accounts ? 1 : 0);
  const has = (account: number) => owners.flatMap((owner, range) => (owner === account ? [range] : []));
  const numbers = Array.from(
    { length: Math.max(accounts, ...owners.map((owner) => owner + 1)) },
    (_, number) => number,
  );
  const surplus = numbers.flatMap((from) =>
    has(from)
      .slice(quota(from))
      .map((range) => ({ range, from })),
  );
  const free = numbers.flatMap((to) => Array<number>(Math.max(0, quota(to) - has(to).length)).fill(to));
  const pairs = surplus.flatMap(({ range, from }, index) => {
    const to = free[index];
    return to === undefined ? [] : [{ range, from, to }];
  });
  return [...Map.groupBy(pairs, ({ from, to }) => `${from} ${to}`).values()].flatMap((ofPair) => {
    const moves: Move[] = [];
    for (let at = 0; at < ofPair.length; at += together) {
      const some = ofPair.slice(at, at + together);
      const [{ from, to } = { from: 0, to: 0 }] = some;
      moves.push({ ranges: some.map(({ range }) => range), from, to });
    }
    return moves;
  });
}
