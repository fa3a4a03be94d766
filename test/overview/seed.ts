/**
 * Many accounts in the overview's index, each under a key of its own but for some, written as Keyward writes its rows.
 */
import { accountRow, keyRow, markRow } from '../../src/azure/overviewTable.ts';
import type { Row } from '../../src/azure/rowForm.ts';
import { openTables } from '../../src/azure/tables.ts';
import type { IndexedAccount, IndexedKey } from '../../src/core/overview/indexRows.ts';
import { accessibleVerdict, type Verdict } from '../../src/core/watch/watch.ts';
import type { Lab } from '../../src/local/lab/lab.ts';

export interface Seed {
  readonly accounts: number;
  readonly accountsPerKey: number;
  /** Every n-th key is disabled; 1: all are. */
  readonly everyNthDown: number;
}

const rowsTogether = 99;
const version = '2f1c0d9e8b7a46559483726150a1b2c3';
const numbered = (text: string, number: number) => `${text}${String(number).padStart(6, '0')}`;

export async function seedOverview(lab: Lab, { accounts, accountsPerKey, everyNthDown }: Seed): Promise<void> {
  const { service } = lab;
  const at = service.clock.now();
  const authentication = {
    keks: async () => (await service.rings()).atRest,
    auditKeks: async () => (await service.rings()).audit,
    report: () => undefined,
    rejected: () => undefined,
  };
  const table = openTables((name) => lab.table(name.slice('keyward'.length) as 'overview'), authentication)('overview');
  const good = accessibleVerdict(at);
  const denials = { KeyDisabled: { looks: 2, overMs: 0, firstAt: at, lastMs: at } };
  const down: Verdict = { ...good, status: 'Inaccessible', cause: 'KeyDisabled', denials };
  const marks: Row[] = [];
  for (let number = 0; number * accountsPerKey < accounts; number++) {
    const owner = numbered('owner', number);
    const isDown = number % everyNthDown === 0;
    const id = number.toString(16).padStart(32, '0');
    const vaultName = numbered('kv', number);
    const identity = { useSystemAssignedIdentity: true } as const;
    const binding = {
      id,
      vaultHost: `${vaultName}.vault.azure.net`,
      vaultName,
      keyName: 'cmk',
      tenantId: service.homeTenantId,
      identity,
    };
    const times = { nextLookAt: at, lastLookAt: at, nextVersionCheckAt: at, lastVersionCheckAt: at };
    const watch = {
      binding,
      versions: { [version]: isDown ? down : good },
      epoch: isDown ? 1 : 0,
      reconciledEpoch: 0,
      lookCount: 1,
      ...times,
      audit: { sequence: 1, hash: '' },
    };
    const ofKey = Array.from({ length: accountsPerKey }, (_, n): IndexedAccount => {
      const name = numbered('account', number * accountsPerKey + n);
      const key = { bindingId: id, keyIdentifier: `https://${binding.vaultHost}/keys/cmk`, follows: true };
      return {
        name,
        instanceId: service.random.uuid(),
        owner,
        location: 'westeurope',
        createdAt: at,
        revision: 1,
        key,
      };
    });
    const key: IndexedKey = { owner, watch, accounts: ofKey.length };
    if (isDown) marks.push(markRow({ key, ...(ofKey.length <= 10 ? { accounts: ofKey } : {}) }));
    const rows = [keyRow(key), ...ofKey.map(accountRow)];
    for (let from = 0; from < rows.length; from += rowsTogether)
      await table.transact(rows.slice(from, from + rowsTogether).map((put) => ({ put, etag: '*' })));
  }
  for (let from = 0; from < marks.length; from += rowsTogether)
    await table.transact(marks.slice(from, from + rowsTogether).map((put) => ({ put, etag: '*' })));
}
