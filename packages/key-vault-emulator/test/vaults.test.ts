import { RestError } from '@azure/core-rest-pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStage, raw, SERVICE, type Stage, startWebhook } from './helpers.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());

describe('deleting a vault', () => {
  it('the name of a deleted vault does not resolve, like the name of a vault that never existed', async () => {
    const { name, host } = await stage.vault();
    await stage.control('DELETE', `/vaults/${name}`);
    for (const gone of [host, 'never-was.vault.azure.net', 'never-was.managedhsm.azure.net']) {
      const answer = await raw(stage.url, { host: gone, path: '/keys' });
      expect([answer.status, answer.headers['x-emulator-network-error']]).toEqual([421, 'ENOTFOUND']);
    }
    const failed = await stage
      .keyClient(name)
      .getKey('cmk')
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(RestError);
    expect(failed).toMatchObject({ code: 'ENOTFOUND' });
    expect(failed).not.toHaveProperty('statusCode', 421);
  });

  it('a deleted vault loses its grants and event subscriptions, and recovery restores its keys only', async () => {
    const { name } = await stage.vault();
    const kid = await stage.key(name, 'cmk');
    const webhook = await startWebhook();
    await stage.control('PUT', `/vaults/${name}/eventSubscriptions/keyward`, { endpoint: webhook.url });
    await stage.control('DELETE', `/vaults/${name}`);
    const recovered = await stage.control('POST', `/vaults/${name}/recover`);
    expect(recovered).toMatchObject({ subscriptions: [], roleAssignments: [], keys: ['cmk'] });
    const refused = await stage.call(name, 'GET', '/keys/cmk');
    expect(refused.json.error.innererror.code).toBe('ForbiddenByRbac');
    await stage.control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: ['get'] });
    expect((await stage.call(name, 'GET', '/keys/cmk')).json.key.kid).toBe(kid);
    await stage.control('POST', `/vaults/${name}/keys/cmk/rotate`);
    expect(webhook.events()).toEqual([]);
    await webhook.stop();
  });

  it('the name of a deleted vault stays taken until the purge, which purge protection refuses', async () => {
    const settings = { tenantId: '33333333-3333-4333-8333-333333333333' };
    const open = (await stage.vault({ recoveryLevel: 'Recoverable+Purgeable' })).name;
    await stage.control('DELETE', `/vaults/${open}`);
    await expect(stage.control('POST', '/vaults', { name: open, ...settings })).rejects.toThrow('deleted state');
    await stage.control('POST', `/vaults/${open}/purge`);
    await stage.control('POST', '/vaults', { name: open, ...settings });
    const kept = (await stage.vault()).name;
    await stage.control('DELETE', `/vaults/${kept}`);
    await expect(stage.control('POST', `/vaults/${kept}/purge`)).rejects.toThrow('purge protection');
  });

  it.each([
    ['ECONNREFUSED', 421, 'ECONNREFUSED'],
    [404, 404, undefined],
    [503, 503, undefined],
  ])('a deleted vault can answer %s, because reports differ from the docs', async (deletedVault, status, code) => {
    const { name, host } = await stage.vault({ answers: { deletedVault } });
    await stage.control('DELETE', `/vaults/${name}`);
    const answer = await raw(stage.url, { host, path: '/keys' });
    expect([answer.status, answer.headers['x-emulator-network-error']]).toEqual([status, code]);
  });
});

describe('recovery levels', () => {
  it.each([
    ['Purgeable', undefined],
    ['Recoverable+Purgeable', 90],
    ['Recoverable', 90],
    ['Recoverable+ProtectedSubscription', 90],
    ['CustomizedRecoverable+Purgeable', 7],
    ['CustomizedRecoverable', 7],
    ['CustomizedRecoverable+ProtectedSubscription', 7],
  ])('the recovery level %s appears on the keys with its days', async (recoveryLevel, recoverableDays) => {
    const { name } = await stage.vault({ recoveryLevel });
    await stage.key(name, 'cmk');
    const { attributes } = (await stage.call(name, 'GET', '/keys/cmk')).json;
    expect([attributes.recoveryLevel, attributes.recoverableDays]).toEqual([recoveryLevel, recoverableDays]);
  });

  it("the recovery level can change under the keys, and days outside the service's range are refused", async () => {
    const { name } = await stage.vault();
    await stage.key(name, 'cmk');
    await stage.control('PATCH', `/vaults/${name}`, { recoveryLevel: 'Recoverable+Purgeable' });
    expect((await stage.call(name, 'GET', '/keys/cmk')).json.attributes.recoveryLevel).toBe('Recoverable+Purgeable');
    const tooLong = { recoveryLevel: 'CustomizedRecoverable', recoverableDays: 90 };
    await expect(stage.control('PATCH', `/vaults/${name}`, tooLong)).rejects.toThrow('recoverableDays');
  });
});
