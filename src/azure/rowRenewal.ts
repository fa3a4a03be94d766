/** Puts the MACs of all rows under the newest at-rest KEK, so that older ones can be destroyed. */
import type { RowRenewal } from '../core/reseal/ports.ts';
import { tableNames } from './tableNames.ts';
import type { OpenTable } from './tables.ts';

export const createRowRenewal = (open: OpenTable): RowRenewal => ({
  tables: tableNames,
  renew: (name, generation, after) => {
    const table = tableNames.find((one) => one === name) ?? 'accounts';
    return open(table).renewPage(generation, after);
  },
});
