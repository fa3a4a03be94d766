/** Puts the MACs of all rows under the newest at-rest KEK, so that older ones can be destroyed. */
import type { RowRenewal } from '../core/reseal/ports.ts';
import type { OpenTable, TableName } from './tables.ts';

/** Those with authentic rows, in the order in which a pass goes over them. */
const tables: readonly TableName[] = [
  ...(['accounts', 'bindings', 'vaults', 'directory', 'claims', 'rings', 'service', 'outbox', 'operations'] as const),
  'overview',
];

export const createRowRenewal = (open: OpenTable): RowRenewal => ({
  tables,
  renew: (name, generation, after) => {
    const table = tables.find((one) => one === name) ?? 'accounts';
    return open(table).renewPage(generation, after);
  },
});
