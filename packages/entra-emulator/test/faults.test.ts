import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Identity, startIdentity } from '../src/issuer.ts';
import { control, HOME, VAULT } from './support.ts';

const ONE = 'aaaaaaaa-0000-4000-8000-000000000001';
const TWO = 'aaaaaaaa-0000-4000-8000-000000000002';

let identity: Identity;
beforeAll(async () => {
  identity = await startIdentity({
    tenants: [{ tenantId: HOME }],
    identities: [
      { name: 'one', tenantId: HOME, kind: 'systemAssigned', clientId: ONE },
      { name: 'two', tenantId: HOME, kind: 'userAssigned', clientId: TWO },
    ],
  });
});
afterEach(() => control(identity, 'DELETE', 'faults'));
afterAll(() => identity.stop());

const order = (body: unknown) => control(identity, 'POST', 'faults', body);
const msi = (clientId?: string, signal?: AbortSignal) =>
  fetch(
    `${identity.url}/msi/token?api-version=2019-08-01&resource=${VAULT}${clientId === undefined ? '' : `&client_id=${clientId}`}`,
    { headers: { 'x-identity-header': identity.environment.IDENTITY_HEADER }, ...(signal ? { signal } : {}) },
  );
const token = (tenant = HOME) => fetch(`${identity.url}/${tenant}/oauth2/v2.0/token`, { method: 'POST', body: '' });

describe('a fault', () => {
  it('a fault answers instead of the endpoint, `count` times', async () => {
    const effect = { kind: 'answer', status: 429, body: { message: 'slow down' }, headers: { 'retry-after': '7' } };
    await order({ endpoint: 'msi', count: 2, effect });
    const first = await msi();
    expect([first.status, first.headers.get('retry-after'), await first.json()]).toEqual([429, '7', effect.body]);
    expect((await msi()).status).toBe(429);
    expect((await msi()).status).toBe(200);
    expect(await control(identity, 'GET', 'faults')).toEqual([]);
  });

  it('a fault can answer with an empty body', async () => {
    await order({ endpoint: 'msi', effect: { kind: 'answer', status: 503 } });
    const answer = await msi();
    expect([answer.status, await answer.text()]).toEqual([503, '']);
  });

  it('a fault without a count lasts until it is deleted', async () => {
    const { id } = await order({ endpoint: 'msi', effect: { kind: 'answer', status: 500, body: 'broken' } });
    for (const _ of [1, 2, 3]) expect((await msi()).status).toBe(500);
    expect(await control(identity, 'GET', 'faults')).toMatchObject([{ id, hits: 3 }]);
    await control(identity, 'DELETE', `faults/${id}`);
    expect((await msi()).status).toBe(200);
  });

  it('a fault affects only its client, also when the request names the client without its id', async () => {
    await order({ endpoint: 'msi', clientId: ONE, effect: { kind: 'answer', status: 500 } });
    expect([(await msi()).status, (await msi(ONE)).status, (await msi(TWO)).status]).toEqual([500, 500, 200]);
  });

  it('a fault affects only its endpoint and tenant', async () => {
    await order({ endpoint: 'token', tenantId: HOME, effect: { kind: 'answer', status: 502 } });
    const elsewhere = '33333333-3333-4333-8333-333333333333';
    expect([(await msi()).status, (await token()).status, (await token(elsewhere)).status]).toEqual([200, 502, 400]);
  });

  it('a fault can reset the connection', async () => {
    await order({ endpoint: 'msi', count: 1, effect: { kind: 'reset' } });
    await expect(msi()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
    expect((await msi()).status).toBe(200);
  });

  it('a fault can leave a request without an answer', async () => {
    await order({ endpoint: 'msi', count: 1, effect: { kind: 'hang' } });
    await expect(msi(undefined, AbortSignal.timeout(200))).rejects.toThrow('timeout');
  });

  it('a fault can delay an answer', async () => {
    await order({ endpoint: 'msi', count: 1, effect: { kind: 'delay', ms: 250 } });
    const start = performance.now();
    expect((await msi()).status).toBe(200);
    expect(performance.now() - start).toBeGreaterThan(240);
  });

  it('a hanging request does not prevent the emulator from stopping', async () => {
    const second = await startIdentity();
    await control(second, 'POST', 'faults', { endpoint: 'msi', effect: { kind: 'hang' } });
    const hanging = fetch(`${second.url}/msi/token`).catch(() => 'closed');
    await expect.poll(() => control(second, 'GET', 'faults')).toMatchObject([{ hits: 1 }]);
    await second.stop();
    expect(await hanging).toBe('closed');
  });
});
