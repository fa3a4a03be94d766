/** The accounts that wait for their purge. */

import type { DuePurge, PurgeSchedule, ScheduledPurge } from '../core/accounts/ports.ts';
import { defined } from '../core/base/defined.ts';
import { instantOf, iso } from '../core/base/time.ts';
import { rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import { isTime } from './storedTime.ts';
import type { OpenTable } from './tables.ts';

/** By time, in one partition of the directory. Rows are used by their keys only. */
export function createPurgeSchedule(open: OpenTable): PurgeSchedule {
  const table = open('directory');
  const partitionKey = 'purges';
  const key = ({ name, purgeAt }: ScheduledPurge) => ({ partitionKey, rowKey: `${iso(purgeAt)}!${name}` });

  return {
    put: (purge) => table.put(rowOf(key(purge), {})),
    async due(until, limit, after = '') {
      // `"` is the character after `!`, and neither is in a time.
      const end = `${iso(until)}"`;
      const filter = odata`PartitionKey eq ${partitionKey} and RowKey gt ${after} and RowKey lt ${end}`;
      const found = await table.queryKeys(filter, limit);
      const rows: DuePurge[] = [];
      for (const { rowKey, writtenAt, ageMs } of found) {
        const [at = '', name = ''] = rowKey.split('!');
        const purge = { name, purgeAt: instantOf(at), readAt: writtenAt + ageMs };
        if (isTime(purge.purgeAt) && key(purge).rowKey === rowKey) rows.push(purge);
        // A foreign row would delay those after it in each sweep.
        else await table.remove({ partitionKey, rowKey });
      }
      return { rows, ...(found.length < limit ? {} : defined({ next: found.at(-1)?.rowKey })) };
    },
    async remove(purge) {
      await table.remove(key(purge));
    },
  };
}
