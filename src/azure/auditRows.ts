/** Where audit entries stand: in the partition of what they are about, in order of their sequence numbers. */
import type { AuditEntry } from '../core/audit.ts';
import { odata, type RowKey } from './tables.ts';

export const auditKey = (
  partitionKey: string,
  { chain, sequence }: Pick<AuditEntry, 'chain' | 'sequence'>,
): RowKey => ({
  partitionKey,
  rowKey: `audit:${chain}:${String(sequence).padStart(10, '0')}`,
});

/** `;` is the character behind `:`: the range holds every entry of the chain and nothing else. */
export function auditRange(partitionKey: string, chain: string): string {
  const [from, to] = [`audit:${chain}:`, `audit:${chain};`];
  return odata`PartitionKey eq ${partitionKey} and RowKey gt ${from} and RowKey lt ${to}`;
}
