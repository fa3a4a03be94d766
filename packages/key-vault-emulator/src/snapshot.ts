/**
 * The emulator's vaults on disk: one file, private keys and all, read at the start and written again shortly after a change.
 * A process that is killed loses the last moments; the file itself is whole at any time, since it is replaced by renaming.
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

type Kept = Pick<World, 'clock' | 'vaults' | 'resourceSubscriptions'>;

export type Snapshot = {
  /** Made with the file, and new when it begins anew: what was wrapped by these keys can remember whose they were. */
  readonly id: string;
  /** Something may have changed. */
  touch(): void;
  /** Writes what is not written yet and gives the folder free. */
  close(): Promise<void>;
};

/**
 * Fills the world from the folder, or begins a file there; `fresh` forgets what there was.
 * @throws when another process uses the folder, or the file is not one of ours.
 */
export async function openSnapshot(dir: string, world: Kept, fresh: boolean): Promise<Snapshot> {
  await mkdir(dir, { recursive: true });
  const unlock = await lockDir(dir);
  try {
    const file = join(dir, 'keyvault.json');
    const kept = fresh ? undefined : await readSnapshot(file);
    if (kept !== undefined) fill(world, kept);
    const id = kept?.id ?? randomUUID();
    const writer = createWriter(file, () => textOf(id, world));
    // Now, not with the first change: a folder that cannot be written shows at the start.
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

function fill(world: Kept, kept: z.output<typeof snapshotSchema>): void {
  world.clock.setOffset(kept.clockOffsetMs);
  for (const [name, vault] of kept.vaults) world.vaults.set(name, { ...vault, throttleState: newThrottleState() });
  for (const [id, subscriptions] of kept.resourceSubscriptions) world.resourceSubscriptions.set(id, subscriptions);
}

function textOf(id: string, { clock, vaults, resourceSubscriptions }: Kept): string {
  const snapshot = z.encode(snapshotSchema, {
    ...{ format: 'keyward-keyvault-emulator', version: 1, id },
    ...{ clockOffsetMs: clock.offsetMs(), vaults, resourceSubscriptions },
  });
  return `${JSON.stringify(snapshot, undefined, 1)}\n`;
}

/** One write at a time, and none when nothing has changed. */
function createWriter(file: string, text: () => string) {
  let written = '';
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let last: Promise<void> = Promise.resolve();

  const writeNow = async () => {
    const next = text();
    if (next === written) return;
    const temporary = `${file}.new`;
    // A file left by a killed process would keep its own mode.
    await rm(temporary, { force: true });
    await writeFile(temporary, next, { mode: OWNER_ONLY });
    await rename(temporary, file);
    written = next;
  };
  const write = () => {
    last = last.catch(() => undefined).then(writeNow);
    return last;
  };
  const complain = (error: unknown) => process.stderr.write(`${file} was not written: ${String(error)}\n`);

  return {
    write,
    touch() {
      if (closed) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        write().catch(complain);
      }, DELAY_MS).unref();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      return write();
    },
  };
}
