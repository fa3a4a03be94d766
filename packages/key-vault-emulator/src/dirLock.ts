/**
 * A lock that gives a folder to one process: a second `npm start` on the same data would overwrite the data of the
 * first. The lock is a socket, because the system closes it however its process ends. A file with a process id would
 * remain.
 */
import { createHash } from 'node:crypto';
import { realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Resolves to the function that releases the lock. @throws when another process has the folder. */
export async function lockDir(dir: string): Promise<() => Promise<void>> {
  const path = socketOf(await realpath(dir));
  const server = createServer((socket) => socket.destroy()).unref();
  if (!(await listens(server, path))) {
    const inUse = new Error(`${dir} is in use by another process.`);
    if (await isAnswered(path)) throw inUse;
    // A killed process left the file of its socket.
    await rm(path, { force: true });
    if (!(await listens(server, path))) throw inUse;
  }
  return () => new Promise((resolve) => server.close(() => resolve()));
}

/** Outside the folder itself, because the path of a socket is limited to about 100 characters. */
function socketOf(dir: string): string {
  const name = `keyward-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

/** False when the path exists already, whether or not a process listens there. */
function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error));
    server.once('error', failed).listen(path, () => {
      server.off('error', failed);
      resolve(true);
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
