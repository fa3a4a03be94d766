/**
 * The chapter of the audit: the chain of the deleted account is read, verified, and changed by a writer of the table.
 */
import { TableClient } from '@azure/data-tables';
import type { AuditEntry } from '../../core/audit/auditEntry.ts';
import type { Caller } from '../client.ts';
import type { Stack } from '../stack.ts';
import { expected, same } from './checks.ts';
import type { Narrator } from './narrator.ts';

const audit = '/api/operator/accounts/alpha/audit';

export async function auditing(stack: Stack, api: Caller, { step }: Narrator): Promise<void> {
  let entries: AuditEntry[] = [];
  await step({
    title: 'The account is deleted; its chain still has each actor, change, time and reason',
    run: async () => {
      entries = (await expected(200, api('GET', audit))).body.value;
      same('last entry', entries.at(-1)?.type, 'AccountDeleted');
      return entries.map(lineOf);
    },
  });
  await step({
    title: 'The chain verifies, together with heads that a consumer has stored elsewhere',
    run: async () => {
      const announced = entries.slice(-3).map(({ sequence, hash }) => ({ sequence, hash }));
      const { body } = await expected(200, api('POST', `${audit}/verify`, { announced }));
      same('result', body.result, 'whole');
      same('entries', body.entries, entries.length);
      same('heads compared', body.compared, 3);
      return [`verified: ${body.entries} entries, whole; ${body.compared} published heads match`];
    },
  });
  await step({
    title: 'A writer of the table edits one entry: the verification names it',
    run: async () => {
      const { connectionString } = stack.azurite;
      const table = TableClient.fromConnectionString(connectionString, 'keywardaccounts', {
        allowInsecureConnection: true,
      });
      const rowKey = `audit:${entries[1]?.chain}:0000000002`;
      // The row has more than the API returns: the salt with which the entry can be erased.
      const { data } = await table.getEntity<{ data: string }>('alpha', rowKey);
      const write = (text: string) => table.updateEntity({ partitionKey: 'alpha', rowKey, data: text }, 'Merge');
      await write(JSON.stringify({ ...JSON.parse(data), actor: { kind: 'principal', id: 'another-principal' } }));
      const { body } = await expected(200, api('POST', `${audit}/verify`, {}));
      same('broken link', `${body.broken?.sequence} ${body.broken?.flaw}`, '2 Edited');
      await write(data);
      same('result', (await expected(200, api('POST', `${audit}/verify`, {}))).body.result, 'whole');
      return [
        `entry 2: ${body.broken.meaning}`,
        'an alert fires on the log line above; with the entry restored, the chain is whole again',
      ];
    },
  });
}

/**
 * `12  20:15:03  rewrap        AccountKeyRewrapped      …/4f1c0d9e → …/9e8b7a46`; callers by the beginning of their
 * object id.
 */
function lineOf({ sequence, at, actor, type, cause, key, before, after }: AuditEntry): string {
  const from = before === undefined ? '' : `${shortened(before)} → ${shortened(after ?? '')}`;
  const about = [cause, from || shortened(key ?? '')].filter(Boolean).join('  ');
  const who = actor.kind === 'principal' ? `${actor.id.slice(0, 8)}…` : actor.id;
  const columns = [String(sequence).padStart(2), at.slice(11, 19), who.padEnd(12), type.padEnd(26), about];
  return columns.join('  ').trimEnd();
}

/** A key by the beginning of its version; anything else as far as it fits a line. */
function shortened(text: string): string {
  const version = /\/keys\/[^/]+\/([0-9a-f]{8})/.exec(text)?.[1];
  return version === undefined ? text.slice(0, 40) : `…/${version}`;
}
