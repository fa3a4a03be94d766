/** The rows of the layout in the storage accounts: read, compared with the settings, and written for new accounts. */
import { randomUUID } from 'node:crypto';
import { odata, RestError, type TableClient } from '../sdk/tables.ts';
import { entityOf, evenOwners, type Layout, layoutIn, type Member, memberIn, memberKey, undivided } from './layout.ts';
import { layoutKey, layoutPartition, misplaced } from './layoutKeys.ts';

/** Table `keywardrings` of each account, in the order of the settings. */
export type Rings = readonly TableClient[];

export interface StoredLayout {
  readonly layout: Layout;
  /** Undefined: there is no row, and all rows are in the first account. */
  readonly etag: string | undefined;
}

/** Divides a service that has no rows yet, and completes what another process has begun. @throws SettingsError */
export async function readLayout(rings: Rings): Promise<Layout> {
  const stored = await storedLayout(rings);
  if (stored !== undefined) return stored.layout.joining === undefined ? stored.layout : joined(rings, stored);
  return divideNew(rings);
}

/** Undefined: no account has a row of Keyward. @throws SettingsError */
export async function storedLayout(rings: Rings): Promise<StoredLayout | undefined> {
  const rows = await layoutRows(rings, 0);
  const [member] = rows.filter(({ rowKey }) => rowKey === memberKey.rowKey);
  if (member !== undefined) throw misplaced(`The first storage account is number ${numberIn(member)} of the state.`);
  const [row] = rows;
  if (row === undefined) return (await hasRings(rings, 0)) ? { layout: undivided, etag: undefined } : undefined;
  const layout = layoutIn(row);
  if (layout === undefined) throw misplaced('The row of the layout is not as Keyward wrote it.');
  const needed = Math.max(layout.accounts, layout.joining ?? 0);
  if (needed > rings.length)
    throw misplaced(`The state is in ${needed} storage accounts, and the settings name ${rings.length}.`);
  return { layout, etag: row.etag };
}

async function divideNew(rings: Rings): Promise<Layout> {
  const accounts = rings.length;
  await checkUnused(rings, 1);
  const owners = evenOwners(accounts);
  await insert(rings, 0, entityOf(layoutKey, { id: randomUUID(), accounts, owners, revision: 1, joining: accounts }));
  return readLayout(rings);
}

/** Gives each new account its row. A second run continues. */
async function joined(rings: Rings, { layout: { joining = 1, ...layout }, etag = '' }: StoredLayout): Promise<Layout> {
  for (let number = 1; number < joining; number++)
    await insert(rings, number, entityOf(memberKey, { id: layout.id, number }));
  const whole = { ...layout, accounts: joining };
  await checkMembers(rings, whole);
  await replaceLayout(rings, whole, etag);
  return readLayout(rings);
}

/** Returns false when another process was faster. */
export async function replaceLayout(rings: Rings, layout: Layout, etag: string): Promise<boolean> {
  try {
    await tableAt(rings, 0).updateEntity(entityOf(layoutKey, layout), 'Replace', { etag });
    return true;
  } catch (error) {
    if (statusOf(error) === 412) return false;
    throw error;
  }
}

export async function insertLayout(rings: Rings, layout: Layout): Promise<void> {
  await insert(rings, 0, entityOf(layoutKey, layout));
}

/** @throws SettingsError when an account of the settings is not that of the layout */
export async function checkMembers(rings: Rings, { id, accounts }: Layout): Promise<void> {
  if (id === undivided.id) return checkUndivided(rings);
  for (let number = 1; number < accounts; number++) {
    const [row] = await layoutRows(rings, number);
    const { id: foundId, number: found } = row === undefined ? {} : memberIn(row);
    if (foundId === id && found === number) continue;
    const what =
      foundId === undefined
        ? 'has no row of this state'
        : foundId === id
          ? `is number ${Number(found) + 1}`
          : 'belongs to another state';
    throw misplaced(`Storage account ${number + 1} of the settings ${what}.`);
  }
}

/** A member shows that the state was divided, so its rows are in several accounts also where the layout is missing. */
async function checkUndivided(rings: Rings): Promise<void> {
  for (let number = 1; number < rings.length; number++) {
    if (!(await layoutRows(rings, number)).some(({ rowKey }) => rowKey === memberKey.rowKey)) continue;
    // A command that divides the state writes the layout before the members.
    if ((await storedLayout(rings))?.etag !== undefined) return;
    throw misplaced(
      `The row of the layout is missing, and storage account ${number + 1} of the settings has rows of a divided state. ` +
        'If the row was deleted, restore a backup into empty accounts.',
    );
  }
}

/** @throws SettingsError when an account from this number on has rows of a Keyward */
export async function checkUnused(rings: Rings, from: number): Promise<void> {
  for (let number = from; number < rings.length; number++)
    if ((await layoutRows(rings, number)).length > 0 || (await hasRings(rings, number)))
      throw misplaced(`Storage account ${number + 1} of the settings has the rows of a Keyward already.`);
}

/** For a later use of the account. */
export async function removeMember(rings: Rings, number: number, id: string): Promise<void> {
  const [row] = await layoutRows(rings, number);
  if (row !== undefined && memberIn(row).id === id)
    await tableAt(rings, number).deleteEntity(memberKey.partitionKey, memberKey.rowKey);
}

const numberIn = (row: object): number => Number((memberIn(row) as Partial<Member>).number) + 1;

const tableAt = (rings: Rings, number: number): TableClient => {
  const table = rings[number];
  if (table === undefined) throw new TypeError(`The settings name no storage account ${number + 1}.`);
  return table;
};

const layoutRows = (rings: Rings, number: number) => rowsIn(rings, number, odata`PartitionKey eq ${layoutPartition}`);

const hasRings = async (rings: Rings, number: number): Promise<boolean> =>
  (await rowsIn(rings, number, odata`PartitionKey gt ${layoutPartition}`)).length > 0;

interface RowOfLayout {
  readonly rowKey?: string;
  readonly etag: string;
  readonly data?: unknown;
}

/** The first page. No rows where the table does not exist. */
async function rowsIn(rings: Rings, number: number, filter: string): Promise<RowOfLayout[]> {
  try {
    const pages = tableAt(rings, number).listEntities<{ data?: unknown }>({ queryOptions: { filter } }).byPage();
    return (await pages.next()).value ?? [];
  } catch (error) {
    if (statusOf(error) === 404) return [];
    throw error;
  }
}

async function insert(rings: Rings, number: number, entity: ReturnType<typeof entityOf>): Promise<void> {
  const table = tableAt(rings, number);
  try {
    await table.createTable();
    await table.createEntity(entity);
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
  }
}

const statusOf = (error: unknown): number | undefined => (error instanceof RestError ? error.statusCode : undefined);
