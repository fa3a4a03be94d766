/**
 * The memory of a host with the app while four callers without a token each send a body of 100 MB at once, as a
 * multiple of its memory before. The memory is `VmRSS` of Linux.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { startProcesses } from '../processes.ts';
import type { Bench } from '../report.ts';

const chunk = Buffer.alloc(64 * 1024, 0x20);
const chunks = 1_599;
const callers = 4;

/** KiB. */
const memoryOf = (pid: number | undefined): number =>
  Number(/VmRSS:\s+(?<kib>\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.groups?.kib ?? Number.NaN);

const flood: Bench = async (report) => {
  const processes = await startProcesses();
  try {
    const host = await processes.host({ KEYWARD_AUTH: 'entra' });
    const memory = () => memoryOf(host.process.pid);
    // The first calls load what every call needs.
    for (let n = 0; n < 20; n++) await send(host.url, 1);
    const idle = memory();
    let peak = idle;
    const watch = setInterval(() => {
      peak = Math.max(peak, memory());
    }, 5);
    const statuses = await Promise.all(Array.from({ length: callers }, () => send(host.url, chunks)));
    clearInterval(watch);
    report.progress(
      `${statuses.join(', ')}; memory ${Math.round(idle / 1024)} MiB, at most ${Math.round(peak / 1024)}`,
    );
    if (statuses.some((status) => status !== 401))
      throw new Error(`The calls got ${statuses.join(', ')}, and not 401.`);
    report.figure('flood.peakOfIdleMemory', peak / idle, 'times', { atMost: 1.5 });
  } finally {
    await processes.stop();
  }
};

/** Returns the status. A host that closes the connection after its answer is as good as one that reads on. */
async function send(url: string, count: number): Promise<number | undefined> {
  const { hostname, port } = new URL(url);
  const headers = { 'content-type': 'application/json', 'content-length': count * chunk.length };
  const call = request({ method: 'PUT', hostname, port, path: '/api/accounts/flood', headers });
  let status: number | undefined;
  const done = new Promise<void>((resolve) => {
    call.on('error', () => resolve());
    call.on('response', (response) => {
      status = response.statusCode;
      response.resume().on('close', resolve);
    });
  });
  // The callback comes when the chunk is sent, or the connection has ended.
  for (let n = 0; n < count && !call.destroyed; n++)
    await Promise.race([new Promise<void>((sent) => call.write(chunk, () => sent())), done]);
  if (!call.destroyed) call.end();
  await done;
  call.destroy();
  return status;
}

export default flood;
