/** Where chains are, and what verifications of all chains have left: their state, heads and checkpoints. */
import type {
  ChainDirectory,
  CheckpointRow,
  CheckpointStore,
  VerificationState,
  VerificationStore,
  VerifiedHead,
  VerifiedHeads,
} from '../core/attestation/ports.ts';
import { LostRace } from '../core/base/errors.ts';
import { type EpochMs, iso } from '../core/base/time.ts';
import { rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

export const createChainDirectory = (open: OpenTable): ChainDirectory => ({
  async partitionAfter(table, after) {
    const range = after === undefined ? odata`PartitionKey ge ${''}` : odata`PartitionKey gt ${after}`;
    const [row] = await open(table).queryKeys(range, 1);
    return row?.partitionKey;
  },
});

export function createVerificationStore(open: OpenTable): VerificationStore & VerifiedHeads & CheckpointStore {
  const table = open('service');
  const stateKey = { partitionKey: 'verification', rowKey: 'state' };
  const headKey = (chain: string) => ({ partitionKey: 'verifiedHeads', rowKey: chain });
  const timeText = (at: EpochMs) => String(at).padStart(15, '0');
  const checkpointKey = ({ run, page }: Pick<CheckpointRow, 'run' | 'page'>) => ({
    partitionKey: 'checkpoints',
    rowKey: `${timeText(run)}:${String(page).padStart(8, '0')}`,
  });

  return {
    read: () => table.readIfAuthentic<VerificationState>(stateKey),

    async save(state, etag) {
      const row = rowOf(stateKey, state);
      if (etag !== undefined) return table.replace(row, etag);
      const inserted = await table.insert(row);
      if (inserted === undefined) throw new LostRace('Another process has begun the verification.');
      return inserted;
    },

    // A damaged row is reported, and the chain is verified as one that is new.
    verifiedHead: async (chain) => (await table.readIfAuthentic<VerifiedHead>(headKey(chain)))?.value,

    saveHead: (chain, head) => table.put(rowOf(headKey(chain), head, { at: iso(head.at) })),

    async notVerifiedSince(at, limit) {
      const range = odata`PartitionKey eq 'verifiedHeads' and at lt ${iso(at)}`;
      return (await table.queryKeys(range, limit)).map(({ rowKey }) => rowKey);
    },

    saveCheckpoint: (row) => table.put(rowOf(checkpointKey(row), row)),

    async checkpoints(limit, after = '') {
      const range = odata`PartitionKey eq 'checkpoints' and RowKey gt ${after}`;
      const found = await table.query<CheckpointRow>(range, limit);
      const rows = found.flatMap(({ value }) => value ?? []);
      const last = found.at(-1);
      return found.length < limit || last === undefined ? { rows } : { rows, next: last.rowKey };
    },

    async removeCheckpoints(before) {
      const range = odata`PartitionKey eq 'checkpoints' and RowKey lt ${timeText(before)}`;
      const rows = await table.queryKeys(range, 1000);
      await Promise.all(rows.map(({ partitionKey, rowKey, etag }) => table.remove({ partitionKey, rowKey }, etag)));
    },
  };
}
