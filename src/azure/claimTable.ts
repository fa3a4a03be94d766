/** The claims: which owner a vault or a tenant belongs to. */

import { LostRace } from '../core/base/errors.ts';
import { fold, indexKey } from '../core/base/names.ts';
import type { Claim, Claims } from '../core/customerKey/ports.ts';
import { rowOf } from './rowForm.ts';
import type { OpenTable } from './tables.ts';

export function createClaims(open: OpenTable): Claims {
  const table = open('claims');
  const key = (kind: string, value: string) => ({
    partitionKey: indexKey('claim', kind, fold(value)),
    rowKey: 'claim',
  });
  const find: Claims['find'] = (kind, value) => table.read<Claim>(key(kind, value));
  const mark: Claims['mark'] = async ({ value: { isReleasing: _, ...claim }, etag }, isReleasing) => {
    const value: Claim = isReleasing ? { ...claim, isReleasing } : claim;
    const next = await table.replaceIfUnchanged(rowOf(key(claim.kind, claim.value), value), etag);
    return next === undefined ? undefined : { value, etag: next };
  };

  return {
    find,
    mark,
    async claim(kind, value, owner, at) {
      const fresh: Claim = { kind, value: fold(value), owner, at };
      if ((await table.insert(rowOf(key(kind, value), fresh))) !== undefined) return owner;
      const held = await find(kind, value);
      if (held === undefined) throw new LostRace('The claim has just been released.');
      if (held.value.owner !== owner || held.value.isReleasing === undefined) return held.value.owner;
      if ((await mark(held, false)) === undefined) throw new LostRace('The claim is being released.');
      return owner;
    },
    release: ({ value, etag }) => table.remove(key(value.kind, value.value), etag),
  };
}
