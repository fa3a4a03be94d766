/**
 * GET of an account with a customer key, through the local host, beside the two table reads that it needs (record and
 * watch, in parallel, with the same SDK and keep-alive connections). Both take turns, so that a busy machine slows them
 * equally. Tables, vaults and the host are processes of their own.
 */
import { TableClient } from '@azure/data-tables';
import type { Service } from '../../src/core/service.ts';
import { startProcesses } from '../processes.ts';
import type { Bench } from '../report.ts';
import { median, timed } from '../timing.ts';
import { keepAliveClient } from './client.ts';

const warmUps = 300;
const rounds = 1_000;

const getAccount: Bench = async (report) => {
  const processes = await startProcesses();
  try {
    const key = await processes.vaultWithKey('bench-http', { size: 2048 });
    const host = await processes.host();
    const client = keepAliveClient(host.url, host.keys.function, 1);
    const encryption = { type: 'CustomerKey', keyVaultProperties: { keyIdentifier: key } };
    const input = { location: 'westeurope', properties: { owner: 'contoso', encryption } };
    const { status, text } = await client.call('PUT', '/api/accounts/bench', input);
    if (status !== 201) throw new Error(`PUT: ${status} ${text}`);

    const bindingId = await bindingOf('bench', processes.service);
    const table = (name: string) =>
      TableClient.fromConnectionString(processes.connectionString, name, { allowInsecureConnection: true });
    const [accounts, bindings] = [table('keywardaccounts'), table('keywardbindings')];
    const reads = () => Promise.all([accounts.getEntity('bench', 'record'), bindings.getEntity(bindingId, 'watch')]);
    const get = async () => {
      const answer = await client.call('GET', '/api/accounts/bench');
      if (answer.status !== 200) throw new Error(`GET: ${answer.status}`);
    };

    report.progress('reading an account, and its two rows');
    const [whole, bare]: [number[], number[]] = [[], []];
    for (let n = -warmUps; n < rounds; n++) {
      const [first, second] = n % 2 === 0 ? [get, reads] : [reads, get];
      const [one, two] = [await timed(first), await timed(second)];
      if (n < 0) continue;
      whole.push(n % 2 === 0 ? one : two);
      bare.push(n % 2 === 0 ? two : one);
    }
    client.close();
    const [got, read] = [median(whole), median(bare)];
    report.progress(`GET ${got.toFixed(2)} ms, the two reads ${read.toFixed(2)} ms`);
    report.figure('http.getAccountOfTableRead', got / read, 'times the reads', { atMost: 2 });
  } finally {
    await processes.stop();
  }
};

async function bindingOf(name: string, { accounts }: Service): Promise<string> {
  const stored = await accounts.read(name);
  if (stored?.value.lifecycle !== 'active' || stored.value.encryption.type !== 'CustomerKey')
    throw new Error(`${name} has no customer key.`);
  return stored.value.encryption.binding.id;
}

export default getAccount;
