import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { controlCalls } from '../src/control/control.ts';
import { type Identity, startIdentity } from '../src/issuer.ts';
import type { Seeds } from '../src/seeds.ts';
import { CUSTOMER, call, control, HOME, STRANGER } from './support.ts';

let identity: Identity;
beforeAll(async () => {
  identity = await startIdentity({
    tenants: [{ tenantId: HOME }],
    identities: [
      { name: 'app', tenantId: HOME, kind: 'application' },
      { name: 'system', tenantId: HOME, kind: 'systemAssigned' },
    ],
  });
});
afterAll(() => identity.stop());

describe('GET /control', () => {
  type Listing = { calls: { call: string; does: string; curl: string }[] };

  it('GET /control lists every call with a curl line', async () => {
    const { calls } = (await call<Listing>(identity, 'GET', '/control')).body;
    expect(calls.map(({ call: name }) => name)).toContain('POST /control/token');
    for (const { does, curl } of calls) {
      expect(does).not.toBe('');
      expect(curl).toMatch(new RegExp(`^curl -s -X (GET|PUT|POST|DELETE) '${identity.url}/control/`));
    }
  });

  it('every curl line with a body in GET /control runs as printed', async () => {
    const calls = await listed(startWith([{ name: 'assigned', tenantId: HOME, kind: 'userAssigned' }]));
    for (const { curl, status } of calls) expect([curl, status]).toEqual([curl, 200]);
    expect(calls).toHaveLength(controlCalls.filter(({ example }) => example !== undefined).length);
  });

  it('the curl lines of GET /control name only app roles that an identity has', async () => {
    const calls = await listed(
      startWith([{ name: 'app', tenantId: HOME, kind: 'application', roles: ['A', 'B', 'C'] }]),
    );
    const roles = calls.flatMap(({ curl }) => JSON.parse(/"roles":(\[[^\]]*\])/.exec(curl)?.[1] ?? '[]'));
    expect(new Set(roles)).toEqual(new Set(['A', 'B']));
  });

  const startWith = (identities: z.input<typeof Seeds>['identities'] & object) =>
    startIdentity({
      tenants: [{ tenantId: HOME }],
      identities: [{ name: 'operator', tenantId: HOME, kind: 'application' }, ...identities],
    });

  /** Runs each printed line that has a body, and stops the emulator. */
  async function listed(starting: Promise<Identity>): Promise<{ curl: string; status: number }[]> {
    const fresh = await starting;
    const { calls } = (await call<Listing>(fresh, 'GET', '/control')).body;
    const done: { curl: string; status: number }[] = [];
    for (const { curl } of calls) {
      const [, method = '', url = '', body] = /^curl -s -X (\w+) '([^']+)' -d '(.*)'$/.exec(curl) ?? [];
      if (body === undefined) continue;
      done.push({ curl, status: (await call(fresh, method, url.slice(fresh.url.length), body)).status });
    }
    await fresh.stop();
    return done;
  }
});

describe('a control call with bad input', () => {
  const aTenant = `/control/tenants/${CUSTOMER}`;
  const anIdentity = '/control/identities/new';
  const fault = { endpoint: 'msi', effect: { kind: 'reset' } };

  it.each<[string, string, string, unknown, string]>([
    ['a tenant id that is no GUID', 'PUT', '/control/tenants/contoso', {}, 'tenant'],
    ['a misspelt field', 'PUT', aTenant, { missingapp: 'AADSTS700016' }, 'missingapp'],
    ['a value off the list', 'PUT', aTenant, { missingApp: 'AADSTS1' }, 'missingApp'],
    ['a missing field', 'PUT', anIdentity, { kind: 'application' }, 'tenantId'],
    ['an unknown kind', 'PUT', anIdentity, { tenantId: HOME, kind: 'group' }, 'kind'],
    ['an unknown tenant', 'PUT', anIdentity, { tenantId: STRANGER, kind: 'application' }, 'tenantId'],
    [
      'a secret for a managed identity',
      'PUT',
      anIdentity,
      { tenantId: HOME, kind: 'userAssigned', secret: 's' },
      'secret',
    ],
    ['a name with a blank', 'PUT', '/control/identities/a%20b', { tenantId: HOME, kind: 'application' }, 'name'],
    ['roles that are no list', 'PUT', '/control/identities/app/roles', { roles: 'Reader' }, 'roles'],
    [
      'a federated credential without a subject',
      'PUT',
      '/control/identities/app/federated-credentials/f',
      {},
      'subject',
    ],
    ['a lifetime of nothing', 'PUT', '/control/lifetime', { msi: 0 }, 'msi'],
    ['a clock set to a word', 'PUT', '/control/clock', { offsetSeconds: 'tomorrow' }, 'offsetSeconds'],
    ['no audiences', 'PUT', '/control/api-audiences', { audiences: [] }, 'audiences'],
    ['a fault at an unknown endpoint', 'POST', '/control/faults', { ...fault, endpoint: 'graph' }, 'endpoint'],
    ['a fault without an effect', 'POST', '/control/faults', { endpoint: 'msi' }, 'effect'],
    ['a fault of an unknown kind', 'POST', '/control/faults', { ...fault, effect: { kind: 'melt' } }, 'effect.kind'],
    ['a token without a resource', 'POST', '/control/token', { identity: 'app' }, 'resource'],
    [
      'a token in a tenant without the app',
      'POST',
      '/control/token',
      { identity: 'app', resource: 'r', tenant: STRANGER },
      'tenant',
    ],
  ])('a control call with %s returns 400 and names the field', async (_what, method, path, body, target) => {
    const reply = await call(identity, method, path, body);
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({
      error: { code: 'BadRequest', target, message: expect.stringContaining(target) },
    });
  });

  it('a control call whose body is not JSON returns 400', async () => {
    const { status, body } = await call(identity, 'PUT', aTenant, '{missingApp');
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: { message: expect.stringContaining('not JSON') } });
  });

  it.each([
    ['GET', '/control/identities/missing'],
    ['DELETE', '/control/identities/missing'],
    ['GET', `/control/tenants/${STRANGER}`],
    ['DELETE', `/control/tenants/${HOME}/apps/missing`],
    ['DELETE', '/control/identities/app/federated-credentials/none'],
    ['DELETE', '/control/faults/99'],
    ['GET', '/control/nothing'],
    ['GET', '/nothing'],
  ])('the control call %s %s returns 404', async (method, path) => {
    expect((await call(identity, method, path)).status).toBe(404);
  });

  it('a known path with another method returns 405', async () => {
    expect((await call(identity, 'POST', aTenant, {})).status).toBe(405);
  });

  it.each<[string, string, unknown, string]>([
    ['a second system-assigned identity', 'second', { tenantId: HOME, kind: 'systemAssigned' }, 'kind'],
    ['another kind for an identity that exists', 'app', { tenantId: HOME, kind: 'userAssigned' }, 'kind'],
    [
      'another client id for one that exists',
      'app',
      { tenantId: HOME, kind: 'application', clientId: STRANGER },
      'clientId',
    ],
  ])('a control call with %s returns 409', async (_what, name, body, target) => {
    const reply = await call(identity, 'PUT', `/control/identities/${name}`, body);
    expect(reply.status).toBe(409);
    expect(reply.body).toMatchObject({ error: { code: 'Conflict', target } });
  });
});

describe('identities and tenants', () => {
  it('an identity retains its ids when it is put again, and gets new ids after a deletion', async () => {
    const put = (roles: string[]) =>
      control(identity, 'PUT', 'identities/again', { tenantId: HOME, kind: 'application', roles });
    const { clientId, objectId } = await put([]);
    expect(await put(['Reader'])).toMatchObject({ clientId, objectId, roles: ['Reader'] });
    await control(identity, 'DELETE', 'identities/again');
    const { objectId: newObjectId } = await put([]);
    expect(newObjectId).not.toBe(objectId);
  });

  it('the deletion of a tenant deletes its identities', async () => {
    await control(identity, 'PUT', `tenants/${CUSTOMER}`, {});
    await control(identity, 'PUT', 'identities/theirs', { tenantId: CUSTOMER, kind: 'application' });
    await control(identity, 'DELETE', `tenants/${CUSTOMER}`);
    expect((await call(identity, 'GET', '/control/identities/theirs')).status).toBe(404);
  });

  it('an invalid identity in the options is refused like one in a call', async () => {
    const identities = [{ name: 'x', tenantId: HOME, kind: 'application' as const }];
    await expect(startIdentity({ identities })).rejects.toThrow('no tenant');
  });
});
