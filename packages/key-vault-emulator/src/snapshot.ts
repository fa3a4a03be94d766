/**
 * The emulator's vaults on disk: one file, with private keys, read at the start and written shortly after each change.
 * A killed process loses the last moments. The file is always complete, because a rename replaces it.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { lockDir } from './dirLock.ts';
import { snapshotSchema } from './snapshotSchema.ts';
import { newThrottleState } from './throttle.ts';
import type { World } from './world.ts';

/** A burst of changes is one write. */
const DELAY_MS = 100;
/** Private keys are in it. */
const OWNER_ONLY = 0o600;

type StoredWorld = Pick<World, 'clock' | 'vaults' | 'resourceSubscriptions'>;

export type Snapshot = {
  /** Created with the file, so that data wrapped by these keys can name the file that it needs. */
  readonly id: string;
  /** Something may have changed. */
  touch(): void;
  /** Writes what is not written yet and releases the folder. */
  close(): Promise<void>;
};

/**
 * Fills the world from the folder, or creates a file there; `fresh` discards an existing file.
 * @throws when another process uses the folder, or the file is not a snapshot of this emulator.
 */
export async function openSnapshot(dir: string, world: StoredWorld, fresh: boolean): Promise<Snapshot> {
  await mkdir(dir, { recursive: true });
  const unlock = await lockDir(dir);
  try {
    const file = join(dir, 'keyvault.json');
    const stored = fresh ? undefined : await readSnapshot(file);
    if (stored !== undefined) fill(world, stored);
    const id = stored?.id ?? randomUUID();
    const writer = createWriter(file, () => textOf(id, world));
    // At once, so that a folder that cannot be written fails the start.
    await writer.write();
    return {
      id,
      touch: writer.touch,
      close: () => writer.close().finally(unlock),
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function readSnapshot(file: string): Promise<z.output<typeof snapshotSchema> | undefined> {
  const foreign = (why: string) =>
    new Error(`${file} is not a snapshot that this Key Vault emulator can read: ${why}. Nothing was changed.`);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw foreign('it is not JSON');
  }
  const read = snapshotSchema.safeParse(content);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw foreign(`${issue?.path.join('.') || 'the file'}: ${issue?.message}`);
}

function fill(world: StoredWorld, stored: z.output<typeof snapshotSchema>): void {
  world.clock.setOffset(stored.clockOffsetMs);
  for (const [name, vault] of stored.vaults) world.vaults.set(name, { ...vault, throttleState: newThrottleState() });
  for (const [id, subscriptions] of stored.resourceSubscriptions) world.resourceSubscriptions.set(id, subscriptions);
}

function textOf(id: string, { clock, vaults, resourceSubscriptions }: StoredWorld): string {
  const snapshot = z.encode(snapshotSchema, {
    format: 'keyward-keyvault-emulator',
    version: 1,
    id,
    clockOffsetMs: clock.offsetMs(),
    vaults,
    resourceSubscriptions,
  });
  return `${JSON.stringify(snapshot, undefined, 1)}\n`;
}

/** One write at a time, and none without a change. */
function createWriter(file: string, text: () => string) {
  let written = '';
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let last: Promise<void> = Promise.resolve();

  const writeNow = async () => {
    const next = text();
    if (next === written) return;
    const temporary = `${file}.new`;
    // A file that a killed process left would retain its own mode.
    await rm(temporary, { force: true });
    await writeFile(temporary, next, { mode: OWNER_ONLY });
    await rename(temporary, file);
    written = next;
  };
  const write = () => {
    last = last.catch(() => undefined).then(writeNow);
    return last;
  };
  const report = (error: unknown) => process.stderr.write(`Could not write ${file}: ${String(error)}\n`);

  return {
    write,
    touch() {
      if (closed) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        write().catch(report);
      }, DELAY_MS).unref();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      return write();
    },
  };
}
