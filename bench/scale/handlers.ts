/**
 * The CPU time of a GET of an account and of a reveal, beside a bare handler that only reads the same rows and answers
 * with them. Both run in this process, over Azurite in another one, in turns.
 */
import { HttpRequest, HttpResponse, type HttpResponseInit, InvocationContext } from '@azure/functions';
import type { SecretRef } from '../../src/core/accounts/secretRow.ts';
import { handlerOf } from '../../src/functions/pipeline/pipeline.ts';
import { routes } from '../../src/functions/routes.ts';
import { startProcesses } from '../processes.ts';
import type { Bench } from '../report.ts';

const calls = 400;
const rounds = 9;
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const contentKeyName = '9d5d2b1e-6c1f-4f0a-8c53-000000000001';

type Answering = () => Promise<HttpResponseInit>;

const handlers: Bench = async ({ figure, progress }) => {
  const processes = await startProcesses();
  try {
    Object.assign(process.env, processes.settings);
    const { service } = processes;
    const keyIdentifier = await processes.vaultWithKey('bench-handlers', { size: 2048 });
    const encryption = { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } };
    await call('accountsPut', 'PUT', {}, { location: 'westeurope', properties: { owner: 'contoso', encryption } });
    await call('contentKeysPut', 'PUT', { id: contentKeyName }, { properties: { length: 16 } });
    const stored = await service.accounts.read('bench');
    if (stored?.value.lifecycle !== 'active' || stored.value.encryption.type !== 'CustomerKey')
      throw new Error('The account has no customer key.');
    const { id } = stored.value.encryption.binding;
    const ref: SecretRef = { account: 'bench', kind: 'contentKeys', name: contentKeyName };
    const bareGet: Answering = async () => {
      const [account] = await Promise.all([service.accounts.read('bench'), service.bindings.readWatch(id)]);
      return { status: 200, jsonBody: account };
    };
    const bareReveal: Answering = async () => {
      const [secret] = await Promise.all([service.secrets.read(ref), service.bindings.readWatch(id)]);
      return { status: 200, jsonBody: secret };
    };
    const get: Answering = () => call('accountsGet', 'GET', {});
    const reveal: Answering = () => call('contentKeysReveal', 'POST', { id: contentKeyName });
    for (const [name, whole, bare, atMost] of [
      ['getOfBareHandler', get, bareGet, 1.1],
      ['revealOfBareHandler', reveal, bareReveal, 1.25],
    ] as const) {
      await cpuOf(whole);
      await cpuOf(bare);
      const ratios: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const [one, other] = [await cpuOf(whole), await cpuOf(bare)];
        ratios.push(one / other);
        progress(`${name}: ${one.toFixed(2)} ms CPU, bare ${other.toFixed(2)} ms`);
      }
      figure(`scale.${name}`, median(ratios), 'times', { atMost });
    }
  } finally {
    await processes.stop();
  }
};

const handlersByName = new Map(routes.map((route) => [route.name, handlerOf(route)]));

async function call(name: string, method: string, params: Record<string, string>, body?: unknown) {
  const request = new HttpRequest({
    method,
    url: 'http://localhost/api/accounts/bench',
    params: { accountName: 'bench', ...params },
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: { string: JSON.stringify(body) } }),
  });
  const context = new InvocationContext({ functionName: name, logHandler: () => undefined });
  const answer = await handlersByName.get(name)?.(request, context);
  if (answer === undefined) throw new Error(`There is no route ${name}.`);
  if ((answer.status ?? 200) >= 400) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

/** User and system time of this process for one call, in milliseconds, with the answer in its sent form. */
async function cpuOf(answering: Answering): Promise<number> {
  const before = process.cpuUsage();
  for (let n = 0; n < calls; n++) await new HttpResponse(await answering()).text();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / calls;
}

export default handlers;
