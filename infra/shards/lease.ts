/**
 * One command at a time moves rows. Its row changes every 20 seconds, and another command waits until it no longer
 * does.
 */
import { randomUUID } from 'node:crypto';
import { RestError, type TableClient } from '@azure/data-tables';
import { systemClock } from '../../src/azure/systemClock.ts';
import { type Age, startAge, unknownAge } from '../../src/core/base/age.ts';
import { CommandError } from '../backup/runCommand.ts';

const key = { partitionKey: 'shards', rowKey: 'command' };
const renewEveryMs = 20_000;
/** A write that was sent before has ended by then. */
const endedMs = 120_000;
const validMs = 60_000;

export interface Tools {
  readonly sleep: (ms: number) => Promise<void>;
  readonly say: (line: string) => void;
}

/**
 * @param service table `keywardservice` of the first account
 * @param work gets a function that throws when the lease is lost
 */
export async function withLease<T>(
  service: TableClient,
  { sleep, say }: Tools,
  work: (mayWrite: () => void) => Promise<T>,
): Promise<T> {
  await service.createTable();
  let etag = await take();
  let ageMs: Age = startAge(systemClock);
  let isRenewing = false;
  const renewal = setInterval(async () => {
    if (isRenewing) return;
    isRenewing = true;
    const begun = startAge(systemClock);
    try {
      etag = await written(etag);
      ageMs = begun;
    } catch (error) {
      // Another command has the row. After any other error the next renewal tries again.
      if (error instanceof RestError && (error.statusCode === 412 || error.statusCode === 404)) ageMs = unknownAge;
    } finally {
      isRenewing = false;
    }
  }, renewEveryMs);
  try {
    return await work(() => {
      if (ageMs() > validMs)
        throw new CommandError(
          'Another command has taken over, or the tables do not answer. Run the same command again.',
        );
    });
  } finally {
    clearInterval(renewal);
    await service.deleteEntity(key.partitionKey, key.rowKey, { etag }).catch(() => undefined);
  }

  async function take(): Promise<string> {
    const before = await current();
    if (before === undefined) return (await service.createEntity({ ...key, holder: randomUUID() })).etag ?? '';
    say('An earlier command has not ended, or ended without its last step. This one continues in two minutes.');
    await sleep(endedMs);
    if ((await current()) !== before) throw new CommandError('Another command moves rows now. Wait for its end.');
    return written(before);
  }

  async function written(before: string): Promise<string> {
    const { etag: next = '' } = await service.updateEntity({ ...key, holder: randomUUID() }, 'Replace', {
      etag: before,
    });
    return next;
  }

  async function current(): Promise<string | undefined> {
    try {
      return (await service.getEntity(key.partitionKey, key.rowKey)).etag;
    } catch (error) {
      if (error instanceof RestError && error.statusCode === 404) return undefined;
      throw error;
    }
  }
}
