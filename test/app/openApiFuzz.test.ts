/** Thousands of requests made of the document, sent to the running app: none may break it, or be answered as nobody has told. */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requestFor, type WireRequest } from './openApi/arbitrary.ts';
import { type Judge, judgeBy, type Seen } from './openApi/judge.ts';
import { got, newAccount, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const batches = 250;
const atOnce = 20;
const world = useStack();
const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);
let judge: Judge;

beforeAll(async () => {
  process.on('unhandledRejection', note);
  judge = judgeBy((await got(200, world.api('GET', '/api/openapi.json'))).body);
  await vaultWithKey(world, 'fuzz-kv');
  await standing();
});
afterAll(() => {
  process.off('unhandledRejection', note);
  agent.destroy();
});

/** An account with a customer key and one without, whatever became of them: another owner's are cleared away. */
async function standing() {
  const key = 'https://fuzz-kv.vault.azure.net/keys/cmk';
  for (const [name, input] of [
    ['standing', withCustomerKey('contoso', key)],
    ['fuzz-a', newAccount()],
  ] as const) {
    const path = `/api/accounts/${name}`;
    if ((await world.api('PUT', path, input)).status < 300) continue;
    await got(200, world.api('DELETE', path));
    await got(201, world.api('PUT', path, input));
  }
}

/** The body of the answer, or an error when none comes. Nothing is tidied on the way, as `fetch` would. */
function send({ method, target, headers, body }: WireRequest): Promise<Seen> {
  const { url, keys } = world.stack.host;
  const { hostname, port } = new URL(url);
  const sent = ['x-functions-key', keys.function, ...headers];
  if (!headers.includes('Host')) sent.push('Host', `${hostname}:${port}`);
  if (body !== undefined) sent.push('Content-Length', String(body.byteLength));
  return new Promise((resolve, reject) => {
    const call = request({ agent, hostname, port, method, path: target, headers: sent, timeout: 30_000 }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const told = (name: string) => answer.headers[name.toLowerCase()];
        const get = (name: string) => (told(name) === undefined ? null : String(told(name)));
        resolve({ status: answer.statusCode ?? 0, headers: { get }, text: Buffer.concat(chunks).toString() });
      });
    });
    call.on('timeout', () => call.destroy(new Error('no answer within 30 s')));
    call.on('error', reject);
    call.end(body);
  });
}

/** As hosts read it: dot segments are resolved, encoded ones too (WHATWG URL; Kestrel does the same). */
const pathOf = (target: string): string => URL.parse(target, 'http://host')?.pathname ?? '';

const lastFailure = () => world.records.findLast(({ level }) => level === 'error')?.message ?? '';

const statuses = new Map<number, number>();

async function faultsOf(wire: WireRequest): Promise<string[]> {
  const seen = await send(wire);
  const operation = judge.operationAt(wire.method, pathOf(wire.target));
  statuses.set(seen.status, (statuses.get(seen.status) ?? 0) + 1);
  // Readiness has answered 503 where this machine was too busy for one of its parts: that is what it is for.
  if (seen.status >= 500 && operation?.id !== 'healthReady') return [`${seen.status} ${seen.text} ${lastFailure()}`];
  // A path that has become none of ours: the host knows of no such function, and says nothing.
  if (operation === undefined)
    return seen.status === 404 && seen.text === '' ? [] : [`${seen.status} for no operation`];
  return judge.faultsOf(operation, seen);
}

test('at least 5,000 requests, sound, nearly sound and hostile: no 5xx, no silence, and nothing that the document does not say', async () => {
  const requests = fc.oneof(
    ...judge.operations.map((operation) => ({
      // More that makes than that unmakes, or nearly all would be 404; lists cost most, and tell least.
      weight: /List$|Page$|Delete$/.test(operation.id) ? 1 : /^accountsP/.test(operation.id) ? 4 : 2,
      arbitrary: requestFor(operation, judge),
    })),
  );
  const batch = fc.array(requests, { minLength: atOnce, maxLength: atOnce });
  const found: string[] = [];
  let begun = 0;
  const property = fc.asyncProperty(batch, async (wires) => {
    if (begun++ % 10 === 0) await standing();
    await Promise.all(
      wires.map(async (wire) => {
        const faults = await faultsOf(wire).catch((error: Error) => [error.message]);
        for (const fault of faults) found.push(`${told(wire)}\n  ${fault}`);
      }),
    );
    return found.length < 10;
  });
  // Once it has failed, the service is in another state: what helps is the seed and what was found, not a smaller batch.
  const { seed, numRuns, errorInstance } = await fc.check(property, { numRuns: batches, endOnFailure: true });
  expect(found.join('\n'), `seed ${seed}`).toBe('');
  expect(errorInstance, `seed ${seed}`).toBeNull();
  expect(numRuns * atOnce).toBeGreaterThanOrEqual(5000);
  // Both sides of every gate were met.
  for (const status of [200, 201, 204, 400, 404, 412]) expect(statuses.get(status), `${status}`).toBeGreaterThan(5);
}, 300_000);

const told = ({ method, target, headers, body }: WireRequest): string =>
  [method, target, headers.join('|'), body].map((part) => String(part).slice(0, 300)).join(' ');

test('and afterwards the app is as well as before', async () => {
  await sleep(100);
  expect(unhandled).toEqual([]);
  expect(world.records.filter(({ message }) => message.includes('A call failed'))).toEqual([]);
  await standing();
  await got(200, world.api('GET', '/api/accounts/standing'));
  expect(({} as Record<string, unknown>).a).toBeUndefined();
});
