/**
 * Kinds of rows, and ways to damage one: what another writer of the tables, or a fault, leaves behind. After each, a
 * revoked key must still be found (INV-13).
 */
import type { TableName } from '../../azure/tableNames.ts';
import { boundOf } from '../../core/accounts/account.ts';
import { indexKey } from '../../core/base/names.ts';
import { identityParts, vaultIdOf } from '../../core/customerKey/binding.ts';
import { putSecret } from '../../core/secrets/writeSecret.ts';
import type { Lab } from '../lab/lab.ts';

export interface Row {
  readonly table: TableName;
  readonly partitionKey: string;
  readonly rowKey: string;
}

/** One vault with a key, and the accounts below it. */
export interface Target {
  readonly vault: string;
  readonly bindingId: string;
  readonly first: { readonly name: string; readonly instanceId: string; readonly version: string };
}

/** `isOwn`: the row is the first account's own, so that account may be lost with it. */
export interface RowKind {
  readonly row: (target: Target) => Row;
  readonly isOwn?: true;
}

const systemAssigned = { useSystemAssignedIdentity: true } as const;
const at = (table: TableName, partitionKey: string, rowKey: string): Row => ({ table, partitionKey, rowKey });
const hostOf = (vault: string) => `${vault}.vault.azure.net`;
const ofVault = (rowKey: string) => ({
  row: ({ vault }: Target) => at('vaults', vaultIdOf(hostOf(vault)), rowKey),
});

/** Rows of one account, key or vault. */
export const rowKinds: Readonly<Record<string, RowKind>> = {
  'account record': { row: ({ first }) => at('accounts', first.name, 'record'), isOwn: true },
  secret: { row: ({ first }) => at('accounts', first.name, 'secret:tokenKeys:k') },
  'audit entry of an account': {
    row: ({ first }) => at('accounts', first.name, `audit:${first.instanceId}:0000000001`),
  },
  tombstone: { row: ({ first }) => at('accounts', first.name, `tombstone:${first.instanceId}`) },
  watch: { row: ({ bindingId }) => at('bindings', bindingId, 'watch') },
  'sample of a key': { row: ({ bindingId }) => at('bindings', bindingId, 'sample') },
  'bound row': {
    row: ({ bindingId, first }) =>
      at('bindings', bindingId, `bound:${first.version}:${first.name}:${first.instanceId}`),
  },
  'audit entry of a key': { row: ({ bindingId }) => at('bindings', bindingId, `audit:${bindingId}:0000000001`) },
  vault: ofVault('vault'),
  'binding of a vault': {
    row: ({ vault, bindingId }) => at('vaults', vaultIdOf(hostOf(vault)), `binding:${bindingId}`),
  },
  worker: ofVault('worker'),
  'waiting message': ofVault('waiting'),
  budget: ofVault('budget'),
  'name in the directory': { row: ({ first }) => at('directory', `account:${first.name}`, 'name') },
  claim: { row: ({ vault }) => at('claims', indexKey('claim', 'vault', hostOf(vault)), 'claim') },
  'outbox row': { row: ({ bindingId }) => at('outbox', bindingId, '0000000001:damaged') },
  operation: { row: ({ vault }) => at('operations', '20260101', `20260101-${vault}`) },
};

/** Rows that the whole service shares. */
export const sharedRows: Readonly<Record<string, Row>> = {
  'head of the service’s chain': at('service', 'service', 'head'),
  'audit entry of the service': at('service', 'service', 'audit:service:0000000001'),
  'denials of an identity': at('service', 'identityDenials', indexKey('identity', ...identityParts(systemAssigned))),
  'mark of the last sweep': at('service', 'sweep', 'last'),
  'beginning of the daily pass': at('service', 'dailyPass', 'last'),
  'state of a range': at('service', 'ranges', '0002:0000'),
  'wrapping of a ring': at('rings', 'system', '0000000001:first'),
  'state of a ring': at('rings', 'at-rest', 'state'),
  'marker of a ring': at('rings', 'audit', '0000000007:first'),
  'check of the operator’s keys': at('rings', 'operatorKeys', 'checked'),
  'lock of a range': at('vaults', 'range-2-0', 'worker'),
};

type Entity = Readonly<Record<string, unknown>>;

/** What a damaged row holds; undefined: it is gone. */
export type Damage = (entity: Entity) => Entity | undefined;

const textOf = ({ data }: Entity): string => (typeof data === 'string' ? data : '{"at":1}');

export const damages: Readonly<Record<string, Damage>> = {
  deleted: () => undefined,
  truncated: (entity) => ({ ...entity, data: textOf(entity).slice(0, Math.floor(textOf(entity).length / 2)) }),
  'not JSON': (entity) => ({ ...entity, data: '{' }),
  'of an unknown form': (entity) => ({ ...entity, v: 99 }),
  'without data': ({ data: _, ...entity }) => entity,
  'with data of another type': (entity) => ({ ...entity, data: 7 }),
  edited: (entity) => ({ ...entity, data: textOf(entity).replace(/\d/, (digit) => String((Number(digit) + 1) % 10)) }),
  'under an unknown KEK': (entity) => ({ ...entity, generation: 4_000, mac: 'AAAA' }),
  'replaced by another value': (entity) => ({ ...entity, data: '[]' }),
};

/** Damages a row. Beside each row that stays, another one appears that is not Keyward's. */
export async function damage(lab: Lab, { table, ...key }: Row, how: Damage): Promise<void> {
  const client = lab.table(table);
  // A table that the service has not used yet.
  await client.createTable();
  const stored = await client.getEntity<Record<string, unknown>>(key.partitionKey, key.rowKey).catch(() => undefined);
  const { etag: _etag, timestamp: _at, ...entity } = stored ?? { v: 2, data: '{"at":1}', generation: 1, mac: 'AAAA' };
  const damaged = how(Object.fromEntries(Object.entries(entity).filter(([name]) => !name.includes('odata'))));
  if (damaged !== undefined) {
    await client.upsertEntity({ ...damaged, ...key }, 'Replace');
    await client.upsertEntity({ ...damaged, ...key, rowKey: `${key.rowKey}~` }, 'Replace');
  } else if (stored !== undefined) await client.deleteEntity(key.partitionKey, key.rowKey);
}

/**
 * A vault with a key that two accounts use, one of them with a secret; the first comes first wherever rows are read in
 * order.
 */
export async function aTarget(lab: Lab, vault: string): Promise<Target> {
  const key = await lab.vaultWithKey(vault);
  const { record } = await lab.account(`${vault}-a`, vault, key);
  await lab.account(`${vault}-b`, vault, key);
  if (record.encryption.type !== 'CustomerKey') throw new TypeError('The account has a customer key.');
  const secret = { account: record.name, kind: 'tokenKeys', name: 'k' } as const;
  await putSecret(secret, { name: 'k', value: { given: Uint8Array.of(1) } }, {}, lab.service);
  const { name, instanceId, version } = boundOf(record, record.encryption);
  return { vault, bindingId: record.encryption.binding.id, first: { name, instanceId, version } };
}
