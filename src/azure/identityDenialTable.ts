/** The denials that each identity has had. */

import { indexKey } from '../core/base/names.ts';
import { identityParts } from '../core/customerKey/binding.ts';
import type { IdentityDenials } from '../core/watch/identityDenials.ts';
import type { IdentityDenialStore } from '../core/watch/ports.ts';
import { rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

const rowsPerPage = 1000;

/** In one partition, so that all of them are a query. */
export function createIdentityDenialStore(open: OpenTable): IdentityDenialStore {
  const table = open('service');
  const partitionKey = 'identityDenials';
  const keyOf = (identity: IdentityDenials['identity']) => ({
    partitionKey,
    rowKey: indexKey('identity', ...identityParts(identity)),
  });

  return {
    async read(identity) {
      const row = await table.readIfAuthentic<IdentityDenials>(keyOf(identity));
      return row && { value: row.value ?? { identity, denials: [] }, etag: row.etag };
    },
    async write(denials, etag) {
      return (await table.writeIfUnchanged(rowOf(keyOf(denials.identity), denials), etag)) !== undefined;
    },
    async list() {
      const rows = await table.query<IdentityDenials>(odata`PartitionKey eq ${partitionKey}`, rowsPerPage);
      return rows.flatMap(({ value }) => value ?? []);
    },
  };
}
