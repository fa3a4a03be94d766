/** The tables of the state, in the order in which a pass renews their rows. */
export const tableNames = [
  'accounts',
  'bindings',
  'vaults',
  'directory',
  'claims',
  'rings',
  'service',
  'outbox',
  'operations',
  'overview',
] as const;
export type TableName = (typeof tableNames)[number];
