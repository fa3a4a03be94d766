/**
 * A writer of the tables, and what the service answers afterwards (INV-13). The world has accounts of two owners,
 * secrets, a resource, data keys, a deleted account, a ring in rotation and an operation. Each edit changes one stored
 * row; then a fresh process answers a fixed set of questions. Afterwards all rows are put back.
 */
import { isDeepStrictEqual } from 'node:util';
import type { TableName } from '../../src/azure/tableNames.ts';
import { stateOf, wrappedByOf } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { getAccount, listAccounts } from '../../src/core/accounts/readAccount.ts';
import { getResource } from '../../src/core/ams/readResource.ts';
import { putResource } from '../../src/core/ams/writeResource.ts';
import { verifyAllChains } from '../../src/core/attestation/verifyAllChains.ts';
import { accountChain, bindingChain, type Chain, ownChain } from '../../src/core/audit/chains.ts';
import { recordForService } from '../../src/core/audit/serviceAudit.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import { hex } from '../../src/core/base/bytes.ts';
import { requestRotation } from '../../src/core/rings/rotateRing.ts';
import { holdersOf } from '../../src/core/rotation/usage.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { revealOne } from '../../src/core/secrets/revealSecret.ts';
import { putSecret } from '../../src/core/secrets/writeSecret.ts';
import type { Service } from '../../src/core/service.ts';
import { type Lab, startLab, tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';

const tables = [
  ...(['accounts', 'bindings', 'vaults', 'directory', 'claims', 'rings', 'service', 'operations'] as const),
] satisfies TableName[];

export interface Entity extends Record<string, unknown> {
  readonly partitionKey: string;
  readonly rowKey: string;
}
export interface Edit {
  readonly table: TableName;
  /** The row as the writer leaves it. */
  readonly row: Entity;
  readonly what: 'edited' | 'removed' | 'added' | 'duplicated' | 'swapped' | 'rolledBack';
  readonly property: string;
}
export interface Outcome {
  /** Questions whose answer is another one, and no refusal. */
  readonly changed: readonly string[];
  readonly refused: readonly string[];
  /** The log names the row, or a verification finds its chain broken. */
  readonly isReported: boolean;
  /** Questions about other accounts that were answered differently. */
  readonly others: readonly string[];
}
type Answer = { readonly value: unknown } | { readonly refused: string };
type Snapshot = ReadonlyMap<TableName, readonly Entity[]>;

const settle = 61_000;

export interface TamperingWorld {
  readonly edits: readonly Edit[];
  try(edit: Edit): Promise<Outcome>;
  stop(): Promise<void>;
}

/** `secretNames`: the secrets of each account. Each adds rows to edit, and questions. */
export async function startTamperingWorld(keyPool: string, secretNames: readonly string[]): Promise<TamperingWorld> {
  const lab = await startLab({ keyPool });
  const { before, keys, instances } = await fill(lab, secretNames);
  const snapshot = await read(lab);
  const questions = questionsOf(keys, instances, secretNames);
  const baseline = await answersOf(lab, questions, false);
  return {
    edits: editsOf(snapshot, before),
    async try(edit) {
      lab.clock.set(lab.clock.now() + settle);
      const logged = lab.log.length;
      await lab.table(edit.table).upsertEntity(edit.row, 'Replace');
      const after = await answersOf(lab, questions, edit.table === 'rings');
      await putBack(lab, snapshot, edit.table);
      return outcomeOf(
        edit,
        baseline,
        after,
        lab.log.slice(logged).map(({ message, fields }) => ({ message, fields })),
      );
    },
    stop: () => lab.stop(),
  };
}

async function fill(lab: Lab, secretNames: readonly string[]) {
  const { service } = lab;
  const keys = { acme: await lab.vaultWithKey('acme-keys'), beside: await lab.vaultWithKey('beside-keys') };
  await lab.account('acme', 'contoso', keys.acme);
  await lab.account('beside', 'fabrikam', keys.beside);
  await lab.account('plain', 'contoso');
  await lab.account('gone', 'contoso');
  const secret = (account: string, name: string, text: string) =>
    putSecret(
      refOf(account, 'tokenKeys', name),
      { name, value: { given: Buffer.from(text) as Uint8Array<ArrayBuffer> } },
      {},
      service,
    );
  for (const account of ['acme', 'beside', 'plain'])
    for (const name of secretNames) await secret(account, name, `${account} ${name}`);
  await putResource(
    { account: 'acme', type: 'contentKeyPolicies', name: 'policy' },
    () => ({ name: 'policy', properties: { description: 'a policy', options: [] }, secrets: [] }),
    service,
  );
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/none' }], service);
  await lab.advance(3 * settle);
  // Rows that a writer can bring back: those with a chain.
  const before = await read(lab);
  for (const name of secretNames) await secret('acme', name, `acme ${name}, again`);
  for (const a of ['1', '2']) await patchAccount({ name: 'acme', input: { tags: { a } }, actor: tester }, service);
  await deleteAccount('gone', {}, tester, service);
  await requestRotation('system', tester, service);
  await verifyAllChains(service);
  const acme = await lab.view('acme');
  const beside = await lab.view('beside');
  const plain = await lab.view('plain');
  return { before, keys, instances: { acme: acme.record, beside: beside.record, plain: plain.record } };
}

async function read(lab: Lab, of: readonly TableName[] = tables): Promise<Snapshot> {
  const all = new Map<TableName, Entity[]>();
  for (const table of of) {
    const rows: Entity[] = [];
    try {
      for await (const { etag: _, timestamp: __, ...row } of lab.table(table).listEntities()) rows.push(row as Entity);
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
    }
    all.set(table, rows);
  }
  return all;
}

/** Also undoes what the processes wrote since, such as the entry of a damaged secret. */
async function putBack(lab: Lab, snapshot: Snapshot, edited: TableName): Promise<void> {
  const now = await read(lab, [...new Set([edited, 'accounts', 'bindings'] as const)]);
  const keyOf = ({ partitionKey, rowKey }: Entity) => `${partitionKey}|${rowKey}`;
  for (const [table, present] of now) {
    const rows = snapshot.get(table) ?? [];
    const there = new Map(present.map((row) => [keyOf(row), row]));
    for (const row of rows) {
      const current = there.get(keyOf(row));
      there.delete(keyOf(row));
      if (!isDeepStrictEqual(current, row)) await lab.table(table).upsertEntity(row, 'Replace');
    }
    for (const { partitionKey, rowKey } of there.values()) await lab.table(table).deleteEntity(partitionKey, rowKey);
  }
}

type Questions = ReadonlyMap<string, (service: Service) => Promise<unknown>>;

/** The name of a question begins with the account that it is about, or with `service`. */
function questionsOf(
  keys: Readonly<Record<string, string>>,
  records: Readonly<Record<string, Awaited<ReturnType<typeof getAccount>>['record']>>,
  secretNames: readonly string[],
): Questions {
  const all = new Map<string, (service: Service) => Promise<unknown>>();
  for (const [account, { instanceId, encryption }] of Object.entries(records)) {
    all.set(`${account} view`, async (service) => {
      const view = await getAccount(account, service);
      const { owner, tags, accountKeyGeneration, location: place } = view.record;
      return [owner, tags, accountKeyGeneration, place, wrappedByOf(view.record.encryption), stateOf(view)];
    });
    for (const name of secretNames)
      all.set(`${account} secret ${name}`, async (service) =>
        hex((await revealOne(refOf(account, 'tokenKeys', name), 'SecretsRevealed', { actor: tester }, service)).plain),
      );
    all.set(`${account} chain`, (service) => verified(accountChain(account, instanceId, service), service));
    if (encryption.type !== 'CustomerKey') continue;
    const { binding, version } = encryption;
    all.set(`${account} binding chain`, (service) => verified(bindingChain(binding.id, service), service));
    all.set(
      `${account} claim`,
      async (service) => (await service.claims.find('vault', binding.vaultHost))?.value.owner,
    );
    all.set(
      `${account} holders`,
      async (service) => (await holdersOf(keys[account] ?? '', version, { limit: 10 }, service)).holders,
    );
  }
  all.set('acme resource', async (service) => {
    const { value } = await getResource({ account: 'acme', type: 'contentKeyPolicies', name: 'policy' }, service);
    return [value.name, value.properties, value.secrets];
  });
  all.set('service chain', (service) => verified(ownChain(service), service));
  all.set('service list', async (service) => {
    const { accounts, damaged } = await listAccounts(100, undefined, service);
    return [...accounts.map(({ record: { name, owner } }) => `${name} of ${owner}`), ...damaged].toSorted();
  });
  all.set('service rings', async (service) => {
    const { system, atRest, audit } = await service.rings();
    return [system, atRest, audit].map(({ newest }) => [newest.generation, hex(newest.key)]);
  });
  all.set('service public keys', async (service) => (await service.statusKeys.ever()).map(({ kid, x }) => [kid, x]));
  all.set('plain write', async (service) => {
    const input = { owner: 'contoso', location };
    return (await putAccount({ name: 'plain', input, actor: tester }, service)).created;
  });
  return all;
}

async function verified(chain: Chain | Promise<Chain>, service: Service): Promise<string> {
  return (await verifyChain(await chain, {}, service)).result;
}

async function answersOf(lab: Lab, questions: Questions, startsAlone: boolean): Promise<ReadonlyMap<string, Answer>> {
  const { serviceAudit, rings, keyVault } = lab.service;
  // The entry about a damaged row would be in the chain that the next edit is compared with.
  const silent = { keyVault, serviceAudit: { ...serviceAudit, append: async () => undefined } };
  const service = await lab.another(startsAlone ? silent : { ...silent, rings });
  const answers = await Promise.all(
    [...questions].map(async ([name, ask]): Promise<[string, Answer]> => {
      try {
        return [name, { value: (await ask(service)) ?? null }];
      } catch (error) {
        return [name, { refused: String((error as { code?: string }).code ?? error) }];
      }
    }),
  );
  return new Map(answers);
}

interface Line {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function outcomeOf(
  { table, row }: Edit,
  baseline: ReadonlyMap<string, Answer>,
  after: ReadonlyMap<string, Answer>,
  log: readonly Line[],
): Outcome {
  const different = [...after].filter(([name, answer]) => !isDeepStrictEqual(answer, baseline.get(name)));
  const isBroken = different.some(
    ([name, answer]) => name.endsWith('chain') && 'value' in answer && answer.value === 'broken',
  );
  const place = `${table}/${row.partitionKey}/${row.rowKey}`;
  const isNamed = log.some(({ fields }) => fields.row === place || (table === 'rings' && fields.ring !== undefined));
  const subject = subjectOf(table, row);
  return {
    changed: different.filter(([, answer]) => 'value' in answer && answer.value !== 'broken').map(([name]) => name),
    refused: different.filter(([, answer]) => 'refused' in answer).map(([name]) => name),
    isReported: isNamed || isBroken,
    others:
      subject === undefined
        ? []
        : different
            .filter(([name]) => !name.startsWith(subject) && !name.startsWith('service list'))
            .map(([name]) => name),
  };
}

/** The account that a row is about. Undefined: rows of the rings, which protect all. */
function subjectOf(table: TableName, { partitionKey }: Entity): string | undefined {
  if (table === 'rings') return undefined;
  if (table === 'accounts') return partitionKey;
  return table === 'service' ? 'service' : '';
}

function editsOf(snapshot: Snapshot, before: Snapshot): Edit[] {
  return [...snapshot].flatMap(([table, rows]) =>
    rows.flatMap((row, n) => [
      ...propertyEdits(row).map((one) => ({ table, ...one })),
      ...dataEdits(row).map((one) => ({ table, ...one })),
      ...[1, 2].flatMap((step) =>
        betweenRows(row, rows[(n + step) % rows.length] ?? row).map((one) => ({ table, ...one })),
      ),
      ...rolledBack(table, row, before).map((one) => ({ table, ...one })),
    ]),
  );
}

type RowEdit = Omit<Edit, 'table'>;
const isKey = (name: string) => name === 'partitionKey' || name === 'rowKey' || name.includes('odata');

function propertyEdits(row: Entity): RowEdit[] {
  const names = Object.keys(row).filter((name) => !isKey(name));
  return [
    ...names.map(
      (property): RowEdit => ({ row: { ...row, [property]: other(row[property]) }, what: 'edited', property }),
    ),
    ...names.map((property): RowEdit => {
      const { [property]: _, ...rest } = row;
      return { row: rest as Entity, what: 'removed', property };
    }),
    { row: { ...row, data2: '{}' }, what: 'added', property: 'data2' },
    { row: { ...row, isodata: true }, what: 'added', property: 'isodata' },
  ];
}

/** Every property of the value in `data`, two levels deep. */
function dataEdits(row: Entity): RowEdit[] {
  const value = objectIn(row.data);
  if (value === undefined) return [];
  const at = (path: readonly string[], change: (parent: Record<string, unknown>, name: string) => void): Entity => {
    const copy = structuredClone(value);
    const parent = path.slice(0, -1).reduce((inner, name) => inner[name] as Record<string, unknown>, copy);
    change(parent, path.at(-1) ?? '');
    return { ...row, data: JSON.stringify(copy) };
  };
  const paths = Object.keys(value).flatMap((name) => {
    const inner = value[name];
    const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
    return isObject ? [[name], ...Object.keys(inner).map((below) => [name, below])] : [[name]];
  });
  return paths.flatMap((path): RowEdit[] => [
    {
      row: at(path, (parent, name) => {
        parent[name] = other(parent[name]);
      }),
      what: 'edited',
      property: path.join('.'),
    },
    {
      row: at(path, (parent, name) => {
        delete parent[name];
      }),
      what: 'removed',
      property: path.join('.'),
    },
  ]);
}

function betweenRows(row: Entity, another: Entity): RowEdit[] {
  if (another === row) return [];
  const { partitionKey, rowKey } = row;
  return [
    { row: { ...another, partitionKey, rowKey }, what: 'swapped', property: 'all' },
    { row: { ...row, data: another.data }, what: 'swapped', property: 'data' },
    { row: { ...row, partitionKey: another.partitionKey, rowKey }, what: 'duplicated', property: 'partitionKey' },
    { row: { ...row, rowKey: `${rowKey}0` }, what: 'duplicated', property: 'rowKey' },
  ];
}

/** Rows with a chain: the record, its secrets and the watch, and what stands at the head of the service's own. */
function rolledBack(table: TableName, row: Entity, before: Snapshot): RowEdit[] {
  const older = before.get(table)?.find((one) => one.partitionKey === row.partitionKey && one.rowKey === row.rowKey);
  if (older === undefined || isDeepStrictEqual(older, row)) return [];
  return [{ row: older, what: 'rolledBack', property: 'all' }];
}

function objectIn(data: unknown): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(String(data));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Another value of the same type. */
function other(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return value === '' ? 'x' : `${value.slice(0, -1)}${value.endsWith('A') ? 'B' : 'A'}`;
  if (Array.isArray(value)) return [...value, 'x'];
  return value === null ? 1 : { ...(value as object), x: 1 };
}

/** Silently accepted: an answer differs, is no refusal, and nothing says so. */
export const isSilent = ({ changed, isReported }: Outcome): boolean => changed.length > 0 && !isReported;
