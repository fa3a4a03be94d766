/** The links to the customers' pages. */

import { indexKey } from '../core/base/names.ts';
import type { CustomerLink, CustomerLinkStore } from '../core/customerPage/ports.ts';
import { rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

const rowsPerPage = 1000;

/** One partition for each owner. */
export function createCustomerLinkStore(open: OpenTable): CustomerLinkStore {
  const table = open('service');
  const partitionOf = (owner: string) => `links:${indexKey('link', owner)}`;
  const key = (owner: string, id: string) => ({ partitionKey: partitionOf(owner), rowKey: id });

  return {
    async insert(link) {
      await table.insert(rowOf(key(link.owner, link.id), link));
    },
    read: async (owner, id) => (await table.readIfAuthentic<CustomerLink>(key(owner, id)))?.value,
    async list(owner) {
      const rows = await table.query<CustomerLink>(odata`PartitionKey eq ${partitionOf(owner)}`, rowsPerPage);
      return rows.flatMap(({ value }) => value ?? []);
    },
    remove: (owner, id) => table.remove(key(owner, id)),
  };
}
