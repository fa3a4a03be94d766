/** The vaults: which bindings a vault has, which worker it has, and the budget of its calls. */

import type { WorkLock, WorkTicket } from '../core/base/workLock.ts';
import { vaultIdOf } from '../core/customerKey/binding.ts';
import type { VaultBindings, VaultBudgets, VaultDirectory } from '../core/watch/ports.ts';
import type { Budget } from '../core/watch/vaultBudget.ts';
import { type RowKey, rowOf } from './rowForm.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

const everything = Number.POSITIVE_INFINITY;

const rowsPerPage = 1000;

/** Ids of vaults are hexadecimal. */
const allVaults = { from: '0', to: 'g' };

function byVault(rows: readonly RowKey[]): VaultBindings[] {
  const vaults = Map.groupBy(rows, ({ partitionKey }) => partitionKey);
  return [...vaults].map(([id, ofVault]) => ({
    id,
    bindings: ofVault.map(({ rowKey }) => rowKey.slice('binding:'.length)),
  }));
}

/** One partition for each vault: a row per binding, and its worker. It grows with keys, not with accounts. */
export function createVaultStore(open: OpenTable): VaultDirectory & VaultBudgets & WorkLock {
  const table = open('vaults');
  const workerKey = (vaultId: string) => ({ partitionKey: vaultId, rowKey: 'worker' });
  const budgetKey = (vaultId: string) => ({ partitionKey: vaultId, rowKey: 'budget' });
  const waitingKey = (vaultId: string) => ({ partitionKey: vaultId, rowKey: 'waiting' });
  type Work = { readonly forMs: number };

  async function bindings(vaultId: string): Promise<string[]> {
    const range = odata`PartitionKey eq ${vaultId} and RowKey gt 'binding:' and RowKey lt 'binding;'`;
    return (await table.queryKeys(range, everything)).map(({ rowKey }) => rowKey.slice('binding:'.length));
  }

  const page: VaultDirectory['page'] = async ({ from, to }, rows, after) => {
    const first = after === undefined ? odata`PartitionKey ge ${from}` : odata`PartitionKey gt ${after}`;
    const range = odata`PartitionKey lt ${to} and RowKey gt 'binding:' and RowKey lt 'binding;'`;
    const found = await table.queryKeys(`${first} and ${range}`, rows);
    const vaults = byVault(found);
    const last = vaults.at(-1);
    if (found.length < rows || last === undefined) return { vaults };
    // The page may end in the middle of its last vault, which is on the next page then, or on this one with all its
    // bindings.
    const whole = vaults.slice(0, -1);
    const end = whole.at(-1);
    if (end !== undefined) return { vaults: whole, next: end.id };
    return { vaults: [{ id: last.id, bindings: await bindings(last.id) }], next: last.id };
  };

  return {
    async addBinding(vaultHost, bindingId) {
      const partitionKey = vaultIdOf(vaultHost);
      await table.insert(rowOf({ partitionKey, rowKey: 'vault' }, { vaultHost }));
      await table.insert(rowOf({ partitionKey, rowKey: `binding:${bindingId}` }, {}));
    },

    bindings,

    page,

    async *list() {
      for (let after: string | undefined; ; ) {
        const { vaults, next } = await page(allVaults, rowsPerPage, after);
        for (const { id } of vaults) yield id;
        if (next === undefined) return;
        after = next;
      }
    },

    async beginWork(vaultId, forMs) {
      const row = rowOf(workerKey(vaultId), { forMs } satisfies Work);
      const fresh = await table.insert(row);
      if (fresh !== undefined) return fresh as WorkTicket;
      const current = await table.readIfAuthentic<Work>(workerKey(vaultId));
      if (current === undefined) return undefined;
      // No lease is longer than one of this kind: a longer one comes from a host with other settings, and is void.
      const isHeld = current.value !== undefined && current.ageMs < Math.min(current.value.forMs, forMs);
      // Left by a worker that died, or by another writer of the table.
      return isHeld ? undefined : ((await table.replaceIfUnchanged(row, current.etag)) as WorkTicket | undefined);
    },

    async renewWork(vaultId, ticket, forMs) {
      const row = rowOf(workerKey(vaultId), { forMs } satisfies Work);
      return (await table.replaceIfUnchanged(row, ticket)) as WorkTicket | undefined;
    },

    async endWork(vaultId, ticket) {
      await table.remove(workerKey(vaultId), ticket);
    },

    async mayWait(vaultId, delayMs) {
      const row = rowOf(waitingKey(vaultId), {});
      if ((await table.insert(row)) !== undefined) return true;
      const current = await table.readIfAuthentic(waitingKey(vaultId));
      if (current !== undefined && current.ageMs < delayMs) return false;
      return current === undefined || (await table.replaceIfUnchanged(row, current.etag)) !== undefined;
    },

    readBudget: async (vaultId) => (await table.readIfAuthentic<Budget>(budgetKey(vaultId)))?.value,
    saveBudget: (vaultId, budget) => table.put(rowOf(budgetKey(vaultId), budget)),
  };
}
