/**
 * Writes vaults with one key and one account each, as they are after some minutes of sweeps: each account key is really
 * wrapped, and each row has its MAC. The rows go straight to the tables, because 100,000 calls of PUT would take longer
 * than everything that is measured.
 */
import { createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline';
import { tableEndpoint } from '../../packages/table-emulator/src/tableEmulator.ts';
import { entityOf, type Row, rowOf } from '../../src/azure/rowForm.ts';
import type { TableName } from '../../src/azure/tableNames.ts';
import { type ActiveAccount, boundOf, wrappedByOf } from '../../src/core/accounts/account.ts';
import { emptyChain } from '../../src/core/audit/auditEntry.ts';
import { base64, wipe } from '../../src/core/base/bytes.ts';
import { accountKeyPayload, sealAtRest } from '../../src/core/crypto/accountKeyEnvelope.ts';
import { bindingOf, vaultIdOf } from '../../src/core/customerKey/binding.ts';
import type { LookSample } from '../../src/core/watch/sample.ts';
import { accessibleVerdict, type Watch } from '../../src/core/watch/watch.ts';
import { homeTenantId, location } from '../../src/local/operator.ts';
import { onlyVersion } from './localVault.ts';
import type { World } from './world.ts';

const minuteMs = 60_000;
const rowsAtOnce = 64;

/** @param count of vaults; `from` continues behind those that are there. */
export async function seedVaults(count: number, world: World, from = 0): Promise<void> {
  const { service } = world;
  // Creates the rings, and every table that the rows go to.
  await service.rings();
  await Promise.all([service.accounts.read('none'), service.bindings.readWatch('none'), service.vaults.bindings('0')]);
  const { atRest } = await service.rings();
  const insert = async (table: TableName, row: Row) => {
    const { partitionKey, rowKey, ...properties } = entityOf(table, row, atRest);
    const body = JSON.stringify({ PartitionKey: partitionKey, RowKey: rowKey, ...properties });
    const url = `${tableEndpoint}/keyward${table}`;
    const { status } = await world.httpClient.sendRequest(
      createPipelineRequest({ url, method: 'POST', headers: createHttpHeaders(), body }),
    );
    if (status >= 300) throw new Error(`The tables answered ${status} to a row of ${table}.`);
  };
  for (let n = from; n < from + count; n += rowsAtOnce) {
    const rows = Array.from({ length: Math.min(rowsAtOnce, from + count - n) }, (_, index) => rowsOf(n + index, world));
    await Promise.all((await Promise.all(rows)).flat().map(([table, row]) => insert(table, row)));
  }
}

async function rowsOf(n: number, { service, keyVault }: World): Promise<(readonly [TableName, Row])[]> {
  const now = service.clock.now();
  const [name, vaultName] = [`account-${n}`, `vault-${n}`];
  const vaultHost = `${vaultName}.vault.azure.net`;
  const keyIdentifier = `https://${vaultHost}/keys/cmk`;
  const key = { vaultHost, vaultName, keyName: 'cmk' };
  const binding = bindingOf(key as Parameters<typeof bindingOf>[0], homeTenantId, { useSystemAssignedIdentity: true });
  const instanceId = service.random.uuid();
  const context = { instanceId, account: name, generation: 1 };
  const encryption = {
    ...({ type: 'CustomerKey', keyIdentifier, follows: true, version: onlyVersion } as const),
    binding,
    reconciledEpoch: 0,
  };
  const accountKey = service.random.bytes(32);
  const payload = accountKeyPayload(context, accountKey);
  const inner = { by: 'CustomerKey', wrapped: keyVault.wrap(keyVault.publicKey, payload) } as const;
  wipe(accountKey, payload);
  const { atRest } = await service.rings();
  const sealed = sealAtRest(inner, context, wrappedByOf(encryption), atRest.newest, service.random.bytes(12));
  const record: ActiveAccount = {
    ...({ lifecycle: 'active', name, instanceId, owner: `owner-${n}`, location, tags: {} } as const),
    createdAt: now,
    updatedAt: now,
    revision: 1,
    audit: emptyChain,
    encryption,
    accountKeyGeneration: 1,
    wrappedAccountKey: base64(sealed),
  };
  const watch: Watch = {
    binding,
    versions: { [onlyVersion]: accessibleVerdict(now) },
    epoch: 0,
    reconciledEpoch: 0,
    transitions: [],
    lookCount: 1,
    audit: emptyChain,
    lastLookAt: now,
    nextLookAt: now + minuteMs,
    targetVersion: onlyVersion,
    latest: { version: onlyVersion, since: now, keyType: 'RSA', bits: 2048 },
    expiries: { [onlyVersion]: { readAt: now } },
    // Accounts came at any time, so each sweep checks the latest version of every fourth key.
    lastVersionCheckAt: now,
    nextVersionCheckAt: now + ((n % 4) + 1) * minuteMs,
  };
  const bound = boundOf(record, encryption);
  const { owner, accountKeyGeneration, wrappedAccountKey } = record;
  const sample: LookSample = { version: onlyVersion, name, instanceId, owner, accountKeyGeneration, wrappedAccountKey };
  const vaultId = vaultIdOf(vaultHost);
  const boundKey = `bound:${bound.version}:${bound.name}:${bound.instanceId}`;
  return [
    ['accounts', rowOf({ partitionKey: name, rowKey: 'record' }, record)],
    ['bindings', rowOf({ partitionKey: binding.id, rowKey: 'watch' }, watch)],
    ['bindings', rowOf({ partitionKey: binding.id, rowKey: boundKey }, bound, { follows: bound.follows })],
    ['bindings', rowOf({ partitionKey: binding.id, rowKey: 'sample' }, sample)],
    ['vaults', rowOf({ partitionKey: vaultId, rowKey: 'vault' }, { vaultHost })],
    ['vaults', rowOf({ partitionKey: vaultId, rowKey: `binding:${binding.id}` }, {})],
  ];
}
