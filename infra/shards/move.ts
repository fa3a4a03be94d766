/**
 * Divides the state among more storage accounts, or fewer, while the app runs. Ranges move in groups. While a group
 * moves no process writes its rows, and all read them at the old place:
 *
 *   1  the layout names the moving ranges; wait until each process has read it and its last write has ended
 *   2  copy the rows, and compare both places until nothing differs
 *   3  the layout names the new place; wait until each process reads there; compare once more
 *   4  the layout names no moving ranges: the rows can be written again
 *
 * The old rows are removed when all groups have moved. Each step begins with what the layout says, so a second run
 * continues after a crash at any point.
 */
import { randomUUID } from 'node:crypto';
import type { Layout, Move } from '../../src/azure/shards/layout.ts';
import {
  checkUnused,
  insertLayout,
  readLayout,
  removeMember,
  replaceLayout,
  storedLayout,
} from '../../src/azure/shards/layoutRows.ts';
import { CommandError } from '../backup/runCommand.ts';
import { type ClientIn, copyRanges, dividedTables, type Permission, removeMoved } from './copyRanges.ts';
import { type Tools, withLease } from './lease.ts';
import { planMoves } from './plan.ts';

export interface MoveOptions {
  /** How many storage accounts the operator names. */
  readonly named: number;
  /** How many of them will have the state. */
  readonly accounts: number;
  /** Ranges of a group. */
  readonly together: number;
  /**
   * Longer than a process uses a layout, plus the longest write: 5 s + 3 tries of KEYWARD_STORAGE_DEADLINE_SECONDS +
   * pauses.
   */
  readonly settleMs: number;
}

/** A process whose settings name one account notices the layout when it reads its rings, once a minute. */
const oldSettingsMs = 130_000;
/** The first copies, the second verifies, and the others are for writes that were late. */
const maxPasses = 5;
const stillWritten = () =>
  new CommandError(
    'Rows of the moving ranges are still written. An instance with older settings runs: stop it, then run the same ' +
      'command again.',
  );
/** Longer than a process uses a layout. */
const switchMs = 10_000;

export async function moveState(clientIn: ClientIn, options: MoveOptions, tools: Tools): Promise<void> {
  const rings = Array.from({ length: options.named }, (_, account) => clientIn(account, 'keywardrings'));
  const stored = async () => {
    const found = await storedLayout(rings);
    if (found === undefined)
      throw new CommandError(
        'The first storage account has no rows of Keyward. A new app divides its state at its start.',
      );
    return found;
  };
  const change = async (etag: string | undefined, layout: Layout) => {
    if (!(await replaceLayout(rings, layout, etag ?? '')))
      throw new CommandError('Another command has changed the layout. Run the same command again.');
  };

  /** The accounts that are new get their rows. */
  async function grow(): Promise<void> {
    // An earlier command may have ended before its accounts had their rows.
    if ((await stored()).layout.joining !== undefined) await readLayout(rings);
    const { layout, etag } = await stored();
    if (layout.accounts < options.accounts) {
      await checkUnused(rings, layout.accounts);
      for (let account = layout.accounts; account < options.accounts; account++)
        await Promise.all(dividedTables.map((table) => clientIn(account, table).createTable()));
      const joining = { ...layout, joining: options.accounts };
      if (etag === undefined) await insertLayout(rings, { ...joining, id: randomUUID(), revision: 1 });
      else await change(etag, joining);
    }
    const { accounts, owners } = await readLayout(rings);
    if (accounts === 1 || owners.some((owner) => owner > 0)) return;
    tools.say('Waiting for processes whose settings name one storage account.');
    await tools.sleep(oldSettingsMs);
  }

  /** Returns false when every range is where it belongs. */
  async function moveNext(mayWrite: Permission): Promise<boolean> {
    const { layout, etag } = await stored();
    const [planned] = planMoves(layout.owners, options.accounts, options.together);
    const move = layout.moving ?? planned;
    if (move === undefined) return false;
    mayWrite();
    if (layout.moving === undefined) await change(etag, { ...layout, moving: move });
    if (!isSwitched(layout, move)) await copyAndSwitch(move, mayWrite);
    await tools.sleep(switchMs);
    if (!(await copyUntilEqual(move, mayWrite))) throw stillWritten();
    const {
      layout: { moving: _, ...done },
      etag: last,
    } = await stored();
    mayWrite();
    await change(last, done);
    tools.say(`${move.ranges.length} of 256 ranges moved from account ${move.from + 1} to account ${move.to + 1}.`);
    return true;
  }

  async function copyAndSwitch(move: Move, mayWrite: Permission): Promise<void> {
    await tools.sleep(options.settleMs);
    if (!(await copyUntilEqual(move, mayWrite))) {
      await giveUp(mayWrite);
      throw stillWritten();
    }
    const { layout, etag } = await stored();
    const moved = new Set(move.ranges);
    const owners = layout.owners.map((owner, range) => (moved.has(range) ? move.to : owner));
    mayWrite();
    await change(etag, { ...layout, owners, revision: layout.revision + 1 });
  }

  /** Returns false when other processes still write. */
  async function copyUntilEqual(move: Move, mayWrite: Permission): Promise<boolean> {
    let rows = 0;
    for (let pass = 0; pass < maxPasses; pass++) {
      const changes = await copyRanges(clientIn, move, mayWrite);
      rows += changes;
      if (changes > 0) continue;
      tools.say(`${rows} rows copied and compared.`);
      return true;
    }
    return false;
  }

  /** Before the switch the rows are still complete at the old place, so they can be written there again. */
  async function giveUp(mayWrite: Permission): Promise<void> {
    const { layout, etag } = await stored();
    const { moving: _, ...before } = layout;
    mayWrite();
    await change(etag, before);
  }

  /** No process reads at an old place any more. */
  async function tidy(mayWrite: Permission): Promise<void> {
    await tools.sleep(options.settleMs);
    const { layout, etag } = await stored();
    for (let account = 0; account < layout.accounts; account++)
      tools.say(
        `${await removeMoved(clientIn, account, layout, mayWrite)} old rows removed from account ${account + 1}.`,
      );
    mayWrite();
    if (layout.accounts > options.accounts) await change(etag, { ...layout, accounts: options.accounts });
    for (let account = options.accounts; account < options.named; account++)
      await removeMember(rings, account, layout.id);
  }

  await withLease(clientIn(0, 'keywardservice'), tools, async (mayWrite) => {
    await grow();
    while (await moveNext(mayWrite));
    await tidy(mayWrite);
    tools.say('Done.');
  });
}

const isSwitched = ({ owners, moving }: Layout, { ranges, to }: Move): boolean =>
  moving !== undefined && ranges.every((range) => owners[range] === to);
