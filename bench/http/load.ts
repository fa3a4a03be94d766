/**
 * 64 callers for 30 s on 40 accounts of four keys: reads, lists, writes, conditional writes, secrets and reveals,
 * creations and deletions, while sweeps run and every key rotates. A quarter of all calls use one account. An error is
 * every unexpected response: 503 after a lost race is one too; 412 is right only where the caller has set If-Match.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../src/core/service.ts';
import { type Processes, postNewVersionEvent, startProcesses } from '../processes.ts';
import type { Bench } from '../report.ts';
import { type Answered, type Client, keepAliveClient } from './client.ts';

const callers = 64;
const durationMs = 30_000;
const vaults = ['load-a', 'load-b', 'load-c', 'load-d'];
const accountsAVault = 10;
const names = vaults.flatMap((vault) => Array.from({ length: accountsAVault }, (_, n) => `${vault}-${n}`));

const load: Bench = async (report) => {
  const processes = await startProcesses();
  try {
    const keys = await Promise.all(vaults.map((vault) => processes.vaultWithKey(vault, { size: 2048 })));
    // The load of a busy service: a sweep every five seconds, with a look at every key.
    const host = await processes.host({
      KEYWARD_SWEEP_SCHEDULE: '*/5 * * * * *',
      KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '5',
    });
    const client = keepAliveClient(host.url, host.keys.function, callers);
    report.progress(`making ${names.length} accounts`);
    await prepare(client, keys);
    const before = await standOf(processes);

    report.progress(`${callers} callers for ${durationMs / 1000} s`);
    const tally = new Tally();
    const end = performance.now() + durationMs;
    const work = Promise.all(Array.from({ length: callers }, (_, n) => callUntil(end, n, client, tally)));
    for (const vault of vaults) {
      await sleep(durationMs / (vaults.length + 2));
      await processes.keyVault('POST', `/vaults/${vault}/keys/cmk/rotate`);
      await postNewVersionEvent(vault, host);
    }
    await work;
    client.close();

    const after = await standOf(processes);
    for (const [vault, { version, looks }] of after) {
      if (version === before.get(vault)?.version) throw new Error(`${vault} was not rotated during the load.`);
      if (looks <= (before.get(vault)?.looks ?? 0)) throw new Error(`${vault} had no look during the load.`);
    }
    report.progress(`${tally.calls} calls, of which an expected 412: ${tally.expected412}`);
    for (const [what, times] of tally.errors) report.progress(`${times} times ${what}`);
    report.figure('http.errorsUnderLoad', tally.failed, 'errors', { exactly: 0 });
  } finally {
    await processes.stop();
  }
};

class Tally {
  calls = 0;
  expected412 = 0;
  failed = 0;
  readonly errors = new Map<string, number>();

  fail(what: string): void {
    this.failed += 1;
    this.errors.set(what, (this.errors.get(what) ?? 0) + 1);
  }
}

async function prepare(client: Client, keys: readonly string[]): Promise<void> {
  for (const [n, name] of names.entries()) {
    const keyIdentifier = keys[Math.floor(n / accountsAVault)];
    const owner = vaults[Math.floor(n / accountsAVault)];
    const encryption = { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } };
    const input = { location: 'westeurope', properties: { owner, encryption } };
    for (const [path, body] of [
      [`/api/accounts/${name}`, input],
      [`/api/accounts/${name}/contentKeys/${contentKey(0)}`, { properties: { length: 16 } }],
    ] as const) {
      const { status, text } = await client.call('PUT', path, body);
      if (status !== 201) throw new Error(`PUT ${path}: ${status} ${text}`);
    }
  }
}

const contentKey = (n: number): string => `9d5d2b1e-6c1f-4f0a-8c53-${String(n).padStart(12, '0')}`;

/** For each vault: the version of the first account, and the number of looks at its key. */
async function standOf({ service }: Processes): Promise<Map<string, { version: string; looks: number }>> {
  const stand = await Promise.all(vaults.map((vault) => standOfAccount(`${vault}-0`, service)));
  return new Map(vaults.map((vault, n) => [vault, stand[n] ?? { version: '', looks: 0 }]));
}

async function standOfAccount(name: string, { accounts, bindings }: Service) {
  const stored = await accounts.read(name);
  if (stored?.value.lifecycle !== 'active' || stored.value.encryption.type !== 'CustomerKey')
    throw new Error(`${name} has no customer key.`);
  const { version, binding } = stored.value.encryption;
  return { version, looks: (await bindings.readWatch(binding.id))?.value.lookCount ?? 0 };
}

const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)] as T;

async function callUntil(end: number, caller: number, client: Client, tally: Tally): Promise<void> {
  const call: Client['call'] = (...request) => {
    tally.calls += 1;
    return client.call(...request);
  };
  for (let n = 0; performance.now() < end; n++) {
    const account = `/api/accounts/${Math.random() < 0.25 ? names[0] : pick(names)}`;
    const [what, act] = pick(mix);
    try {
      await act({ account, caller, n, call, tally }, (statuses, { status, text }) => {
        if (statuses.includes(status)) return;
        tally.fail(`${what}: ${status} ${text.slice(0, 160)}`);
      });
    } catch (error) {
      tally.fail(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

interface Turn {
  readonly account: string;
  readonly caller: number;
  readonly n: number;
  readonly call: Client['call'];
  readonly tally: Tally;
}

type Expect = (statuses: readonly number[], answer: Answered) => void;
type Act = (turn: Turn, expect: Expect) => Promise<void>;

const get: Act = async ({ account, call }, expect) => expect([200], await call('GET', account));

const list: Act = async ({ call }, expect) => expect([200], await call('GET', '/api/accounts?$top=20'));

const write: Act = async ({ account, caller, n, call }, expect) =>
  expect([200], await call('PATCH', account, { tags: { caller: String(caller), n: String(n) } }));

const writeIfMatch: Act = async ({ account, caller, n, call, tally }, expect) => {
  const { etag } = JSON.parse((await call('GET', account)).text);
  const tags = { caller: String(caller), only: String(n) };
  const answer = await call('PATCH', account, { tags }, { 'if-match': etag });
  expect([200, 412], answer);
  if (answer.status === 412) tally.expected412 += 1;
};

const putSecret: Act = async ({ account, caller, call }, expect) =>
  expect(
    [200, 201],
    await call('PUT', `${account}/contentKeys/${contentKey(caller % 8)}`, { properties: { length: 16 } }),
  );

const reveal: Act = async ({ account, call }, expect) =>
  expect([200], await call('POST', `${account}/contentKeys/${contentKey(0)}/reveal`));

const revealPage: Act = async ({ account, call }, expect) =>
  expect([200], await call('POST', `${account}/contentKeys/reveal?$top=20`));

const comeAndGo: Act = async ({ caller, call }, expect) => {
  const own = `/api/accounts/passing-${caller}`;
  expect([201], await call('PUT', own, { location: 'westeurope', properties: { owner: 'contoso' } }));
  expect([200], await call('DELETE', own));
};

/** Each call is as frequent as its lines here. */
const mix: readonly (readonly [string, Act])[] = [
  ...Array.from({ length: 8 }, () => ['GET', get] as const),
  ['LIST', list],
  ...Array.from({ length: 3 }, () => ['PATCH', write] as const),
  ['PATCH If-Match', writeIfMatch],
  ...Array.from({ length: 2 }, () => ['PUT secret', putSecret] as const),
  ...Array.from({ length: 4 }, () => ['reveal', reveal] as const),
  ['reveal page', revealPage],
  ['PUT and DELETE', comeAndGo],
];

export default load;
