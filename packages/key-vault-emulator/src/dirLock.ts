/**
 * One process to a folder: a second `npm start` on the same data would write over what the first one keeps. The lock is a
 * socket, because the system closes it however its holder dies; a file with a process id in it would outlive a killed one.
 */
import { createHash } from 'node:crypto';
import { realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Resolves to the function that gives the folder free. @throws when another process holds it. */
export async function lockDir(dir: string): Promise<() => Promise<void>> {
  const place = socketOf(await realpath(dir));
  const server = createServer((socket) => socket.destroy()).unref();
  if (!(await listens(server, place))) {
    const inUse = new Error(`${dir} is in use by another process.`);
    if (await isAnswered(place)) throw inUse;
    // Left behind by a killed process.
    await rm(place, { force: true });
    if (!(await listens(server, place))) throw inUse;
  }
  return () => new Promise((resolve) => server.close(() => resolve()));
}

/** Not in the folder itself: the path of a socket may have some hundred characters and no more. */
function socketOf(dir: string): string {
  const name = `keyward-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

/** False when somebody has the place, alive or not. */
function listens(server: Server, place: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error));
    server.once('error', failed).listen(place, () => {
      server.off('error', failed);
      resolve(true);
    });
  });
}

function isAnswered(place: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(place);
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
