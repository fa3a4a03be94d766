import { afterEach, expect, test, vi } from 'vitest';
import { withLease } from '../../../infra/shards/lease.ts';
import { memoryAccounts } from '../../azure/shards/accounts.ts';

const tools = { sleep: async () => undefined, say: () => undefined };
const row = { partitionKey: 'shards', rowKey: 'command', holder: 'another' };

afterEach(() => {
  vi.useRealTimers();
});

test.each(['changed', 'deleted'] as const)(
  'A command whose row was %s by another one may not write after its next renewal',
  async (how) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const service = memoryAccounts(1).clientIn(0, 'keywardservice');
    await withLease(service, tools, async (mayWrite) => {
      mayWrite();
      if (how === 'changed') await service.updateEntity(row, 'Replace');
      else await service.deleteEntity(row.partitionKey, row.rowKey);
      mayWrite();
      vi.advanceTimersByTime(20_000);
      await vi.waitFor(() => expect(mayWrite).toThrow('Another command has taken over'), 10_000);
    });
  },
);

test('A command on a machine that was suspended for more than a minute may not write', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
  const service = memoryAccounts(1).clientIn(0, 'keywardservice');
  await withLease(service, tools, async (mayWrite) => {
    mayWrite();
    vi.setSystemTime(Date.now() + 61_000);
    expect(mayWrite).toThrow('Another command has taken over');
  });
});
