/**
 * From the customer's revocation to the last plaintext in any of four client processes that use a message ten times a
 * second. The policy is the default one; the account shortens its lease to 60 s, so that the bound is 130 s
 * (docs/states-and-bounds.md) and the bench is short.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../report.ts';
import { account, vault, withDataKeys } from './stack.ts';

const processes = 4;
/** The longest time between two looks, and the lease. */
const boundSeconds = 70 + 60;
const reader = fileURLToPath(new URL('reader.ts', import.meta.url));

interface Said {
  readonly ready?: true;
  readonly lastAt?: number;
  readonly code?: string;
}

const revocation: Bench = (report) =>
  withDataKeys(
    async ({ stack, client }) => {
      const message = Buffer.from(await client.encrypt(account, Buffer.from('a record'))).toString('base64');
      const { url, keys } = stack.host;
      const readers = Array.from({ length: processes }, () => begin([url, keys.function, account, message]));
      await Promise.all(readers.map(({ ready }) => ready));
      report.progress(`${processes} clients decrypt; the customer disables the key`);
      await stack.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: false });
      const revokedAt = Date.now();
      const ends = await Promise.all(readers.map(({ ended }) => ended));
      const seconds = ends.map(({ lastAt = 0 }) => (lastAt - revokedAt) / 1000);
      report.progress(`last plaintext after ${seconds.map((one) => one.toFixed(0)).join(', ')} s`);
      report.figure('client.revokedToRefusedSeconds', Math.max(...seconds), 's', { atMost: boundSeconds });
    },
    { timers: true, properties: { leaseSeconds: 60 } },
  );

function begin(args: string[]) {
  const child = fork(reader, args);
  const said = { ready: Promise.withResolvers<void>(), ended: Promise.withResolvers<Said>() };
  child.on('message', (text: Said) => {
    if (text.ready) said.ready.resolve();
    else said.ended.resolve(text);
  });
  child.on('exit', () => said.ended.reject(new Error('A client process ended before it was refused.')));
  return { ready: said.ready.promise, ended: said.ended.promise };
}

export default revocation;
