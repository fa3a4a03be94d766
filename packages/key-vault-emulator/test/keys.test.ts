import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OFFICER, openStage, SERVICE, type Stage } from './helpers.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ timings: { deleteDelayMs: 20, recoverDelayMs: 20 } });
});
afterAll(() => stage.stop());

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

const NOT_FOUND =
  'was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182';

describe('keys through the SDK', () => {
  it('the SDK creates, reads and lists a key', async () => {
    const { name } = await stage.vault({ recoveryLevel: 'CustomizedRecoverable', recoverableDays: 30 });
    const client = stage.keyClient(name);
    const created = await client.createRsaKey('cmk', { keySize: 2048, tags: { owner: 'contoso' } });
    expect(created.id).toMatch(new RegExp(`^https://${name}\\.vault\\.azure\\.net/keys/cmk/[0-9a-f]{32}$`));
    const read = await client.getKey('cmk');
    expect(read.id).toBe(created.id);
    expect(read.keyOperations).toEqual(['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey']);
    expect(read.properties).toMatchObject({
      enabled: true,
      recoveryLevel: 'CustomizedRecoverable',
      recoverableDays: 30,
      tags: { owner: 'contoso' },
    });
    expect(read.properties.expiresOn).toBeUndefined();
    const listed = await all(client.listPropertiesOfKeys());
    expect(listed.map((key) => key.name)).toEqual(['cmk']);
  });

  it('a request without a version uses the latest of several versions', async () => {
    const { name } = await stage.vault();
    const client = stage.keyClient(name);
    const first = await stage.key(name, 'cmk');
    const second = (await client.rotateKey('cmk')).id;
    expect(second).not.toBe(first);
    expect((await client.getKey('cmk')).id).toBe(second);
    expect((await client.getKey('CMK', { version: first.split('/').at(-1) ?? '' })).id).toBe(first);
    const versions = await all(client.listPropertiesOfKeyVersions('cmk'));
    expect(versions.map((version) => version.id)).toEqual([first, second]);
  });

  it('a long list comes in pages, each with a link to the next', async () => {
    const { name } = await stage.vault();
    for (let index = 0; index < 28; index += 1) await stage.key(name, 'cmk');
    const first = await stage.call(name, 'GET', '/keys/cmk/versions');
    expect(first.json.value).toHaveLength(25);
    expect(first.json.nextLink).toMatch(/^https:\/\/.*skiptoken/);
    expect(await all(stage.keyClient(name).listPropertiesOfKeyVersions('cmk'))).toHaveLength(28);
  });

  it('the versions of an unknown key are an empty list', async () => {
    const { name } = await stage.vault();
    const answer = await stage.call(name, 'GET', '/keys/nothing/versions');
    expect([answer.status, answer.text]).toEqual([200, '{"value":[],"nextLink":null}']);
  });

  it('an imported private key is returned with its public part only', async () => {
    const { name } = await stage.vault();
    const { default: pool } = await import('../../../test/fixtures/rsaKeys.json', { with: { type: 'json' } });
    const jwk = pool.keys[1]?.jwk;
    const answer = await stage.call(name, 'PUT', '/keys/byok', { key: jwk }, { oid: 'stranger' });
    expect(answer.status).toBe(403);
    await stage.control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: ['import'] });
    const imported = await stage.call(name, 'PUT', '/keys/byok', { key: jwk, tags: { origin: 'hsm' } });
    expect(imported.json.key).toMatchObject({ n: jwk?.n, e: 'AQAB', kty: 'RSA' });
    expect(imported.json.key).not.toHaveProperty('d');
    expect(imported.json.tags).toEqual({ origin: 'hsm' });
  });

  it('the control API imports a private key in PEM', async () => {
    const { name } = await stage.vault();
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const body = { pem, hsm: true, exp: '2031-01-01T00:00:00Z' };
    await stage.control('PUT', `/vaults/${name}/keys/byok`, body);
    const read = await stage.keyClient(name).getKey('byok');
    expect([read.keyType, read.properties.expiresOn]).toEqual(['RSA-HSM', new Date(body.exp)]);
    expect(Buffer.from(read.key?.n ?? []).toString('base64url')).toBe(privateKey.export({ format: 'jwk' }).n);
  });

  it('an update changes the given attributes only', async () => {
    const { name } = await stage.vault();
    const client = stage.keyClient(name);
    await stage.key(name, 'cmk', { tags: { a: '1' } });
    const expiresOn = new Date('2031-01-01T00:00:00Z');
    await client.updateKeyProperties('cmk', { expiresOn });
    await client.updateKeyProperties('cmk', { enabled: false, keyOps: ['unwrapKey'] });
    const read = await client.getKey('cmk');
    expect(read.properties).toMatchObject({ enabled: false, expiresOn, tags: { a: '1' } });
    expect(read.keyOperations).toEqual(['unwrapKey']);
  });

  it('an EC key created without a curve is on P-256', async () => {
    const { name } = await stage.vault();
    const made = await stage.call(name, 'POST', '/keys/ec/create', { kty: 'EC' }, { oid: OFFICER });
    expect([made.status, made.json.key.crv]).toEqual([200, 'P-256']);
    expect(await stage.control('POST', `/vaults/${name}/keys/ec`, { kty: 'EC' })).toMatchObject({
      key: { crv: 'P-256' },
    });
  });

  it('a key on P-256K, which node:crypto names secp256k1, can be created and imported', async () => {
    const { name } = await stage.vault();
    const made = await stage.call(name, 'POST', '/keys/k/create', { kty: 'EC', crv: 'P-256K' }, { oid: OFFICER });
    expect([made.status, made.json.key.crv]).toEqual([200, 'P-256K']);
    const { d, ...jwk } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export({ format: 'jwk' });
    const key = { ...jwk, d, crv: 'P-256K' };
    const imported = await stage.call(name, 'PUT', '/keys/k', { key }, { oid: OFFICER });
    expect(imported.json.key).toMatchObject({ kty: 'EC', crv: 'P-256K', x: jwk.x, y: jwk.y });
  });

  it('every version of an exportable key returns its release policy', async () => {
    const { name } = await stage.vault();
    const as = { oid: OFFICER };
    const body = { kty: 'RSA-HSM', attributes: { exportable: true }, release_policy: { data: 'e30' } };
    const policy = { contentType: 'application/json; charset=utf-8', data: 'e30', immutable: false };
    const both = { status: 200, json: { attributes: { exportable: true }, release_policy: policy } };
    expect(await stage.call(name, 'POST', '/keys/x/create', body, as)).toMatchObject(both);
    expect(await stage.call(name, 'POST', '/keys/x/rotate', undefined, as)).toMatchObject(both);
    expect(await stage.call(name, 'GET', '/keys/x', undefined, as)).toMatchObject(both);
    const changed = { release_policy: { data: 'e30', immutable: true } };
    const answer = await stage.call(name, 'PATCH', '/keys/x', changed, as);
    expect(answer.json.release_policy).toEqual({ ...policy, immutable: true });
    expect((await stage.call(name, 'PATCH', '/keys/x', changed, as)).status).toBe(400);
  });

  it('an exportable key without a release policy is refused', async () => {
    const { name } = await stage.vault();
    const body = { kty: 'RSA-HSM', attributes: { exportable: true } };
    expect((await stage.call(name, 'POST', '/keys/x/create', body, { oid: OFFICER })).status).toBe(400);
  });

  it.each([
    ['an octet key', { kty: 'oct-HSM' }],
    ['a public exponent of its own', { kty: 'RSA', public_exponent: 3 }],
    ['an external key', { kty: 'RSA', attributes: { external_key: { id: 'k' } } }],
  ])('the creation of %s, which is not emulated, returns 501', async (_what, body) => {
    const { name } = await stage.vault();
    const answer = await stage.call(name, 'POST', '/keys/x/create', body, { oid: OFFICER });
    expect([answer.status, answer.json.error.code]).toEqual([501, 'NotEmulated']);
  });

  it('every key type can be created, and a size or curve that the service does not have is refused', async () => {
    const { name } = await stage.vault();
    for (const [kty, curve] of [
      ['EC', 'P-256'],
      ['EC', 'P-384'],
      ['EC-HSM', 'P-521'],
    ]) {
      const answer = await stage.control<{ key: unknown }>('POST', `/vaults/${name}/keys/ec`, { kty, curve });
      expect(answer.key).toMatchObject({ kty, crv: curve, key_ops: ['sign', 'verify'] });
    }
    const hsm = await stage.control<{ key: unknown }>('POST', `/vaults/${name}/keys/hsm`, {
      kty: 'RSA-HSM',
      size: 3072,
      fixture: 0,
    });
    expect(hsm.key).toMatchObject({ kty: 'RSA-HSM', key_ops: expect.arrayContaining(['wrapKey']) });
    await expect(stage.key(name, 'odd', { size: 1024 })).rejects.toThrow('400');
    await expect(stage.key(name, 'odd', { kty: 'EC', curve: 'P-999' })).rejects.toThrow('400');
  });

  it('a key is generated when the pool is empty', async () => {
    const alone = await openStage();
    try {
      const { name } = await alone.vault();
      const moduli = new Set<string>();
      for (let index = 0; index < 9; index += 1) {
        const made = await alone.control<{ key: { n: string } }>('POST', `/vaults/${name}/keys/k`, { size: 2048 });
        moduli.add(made.key.n);
      }
      expect(moduli.size).toBe(9);
    } finally {
      await alone.stop();
    }
  });

  it('a rotation policy is null until it is set, and gives its expiry to new versions only', async () => {
    const { name } = await stage.vault();
    await stage.key(name, 'cmk');
    await stage.control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: 'cryptoOfficer' });
    const unset = await stage.call(name, 'GET', '/keys/cmk/rotationpolicy');
    expect(unset.text).toBe('{"lifetimeActions":null,"attributes":null}');
    const policy = {
      lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }],
      attributes: { expiryTime: 'P90D' },
    };
    expect((await stage.call(name, 'PUT', '/keys/cmk/rotationpolicy', policy)).json).toMatchObject(policy);
    const client = stage.keyClient(name);
    expect((await client.getKey('cmk')).properties.expiresOn).toBeUndefined();
    const rotated = await client.rotateKey('cmk');
    const days = ((rotated.properties.expiresOn?.getTime() ?? 0) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(90);
    const short = { attributes: { expiryTime: 'P6D' } };
    expect((await stage.call(name, 'PUT', '/keys/cmk/rotationpolicy', short)).status).toBe(400);
  });
});

describe('deletion', () => {
  it('a missing key or version returns 404 with the exact message of the service', async () => {
    const { name } = await stage.vault();
    const missing = await stage.call(name, 'GET', '/keys/nothing/');
    expect(missing.status).toBe(404);
    expect(missing.text).toBe(`{"error":{"code":"KeyNotFound","message":"A key with (name/id) nothing ${NOT_FOUND}"}}`);
    await stage.key(name, 'cmk');
    const version = '0'.repeat(32);
    const wrongVersion = await stage.call(name, 'POST', `/keys/cmk/${version}/unwrapkey`, {
      alg: 'RSA-OAEP-256',
      value: 'AA',
    });
    expect(wrongVersion.json.error.message).toBe(`A key with (name/id) cmk/${version} ${NOT_FOUND}`);
  });

  it('a deleted key is gone at once, listed as deleted after a delay, and readable a delay after its recovery', async () => {
    const { name } = await stage.vault();
    const kid = await stage.key(name, 'cmk');
    await stage.control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: 'cryptoOfficer' });
    const call = (method: string, path: string, body?: unknown) => stage.call(name, method, path, body);
    const minutePasses = () => stage.control('POST', '/clock/advance', { seconds: 60 });
    await stage.control('PUT', '/timings', { deleteDelayMs: 60_000, recoverDelayMs: 60_000 });

    const deleted = await call('DELETE', '/keys/cmk');
    expect(deleted.json).toMatchObject({ recoveryId: `https://${name}.vault.azure.net/deletedkeys/cmk`, key: { kid } });
    expect(deleted.json.scheduledPurgeDate - deleted.json.deletedDate).toBe(90 * 86_400);
    expect((await call('GET', '/keys/cmk')).status).toBe(404);
    const notYet = await call('GET', '/deletedkeys/cmk');
    expect([notYet.status, notYet.json.error.message]).toEqual([404, 'Deleted Key not found: cmk']);
    const tooSoon = await call('POST', '/keys/cmk/create', { kty: 'RSA' });
    expect([tooSoon.status, tooSoon.json.error.innererror.code]).toEqual([409, 'ObjectIsBeingDeleted']);

    await minutePasses();
    expect((await call('GET', '/deletedkeys/cmk')).status).toBe(200);
    const taken = await call('POST', '/keys/cmk/create', { kty: 'RSA' });
    expect([taken.status, taken.json.error.innererror.code]).toEqual([409, 'ObjectIsDeletedButRecoverable']);
    expect((await call('GET', '/deletedkeys')).json.value).toHaveLength(1);

    expect((await call('POST', '/deletedkeys/cmk/recover')).json.key.kid).toBe(kid);
    expect((await call('GET', '/keys/cmk')).status).toBe(404);
    await minutePasses();
    expect((await call('GET', '/keys/cmk')).status).toBe(200);
    await stage.control('PUT', '/timings', { deleteDelayMs: 20, recoverDelayMs: 20 });
  });

  it('the pollers of the SDK delete and recover a key', async () => {
    const { name } = await stage.vault();
    const kid = await stage.key(name, 'cmk');
    const client = stage.keyClient(name);
    const deleting = await client.beginDeleteKey('cmk', { intervalInMs: 20 });
    expect((await deleting.pollUntilDone()).properties.recoveryId).toContain('/deletedkeys/cmk');
    const recovering = await client.beginRecoverDeletedKey('cmk', { intervalInMs: 20 });
    expect((await recovering.pollUntilDone()).id).toBe(kid);
  });

  it('a purge returns 204, or 403 in a vault with purge protection', async () => {
    for (const [recoveryLevel, status] of [
      ['Recoverable+Purgeable', 204],
      ['CustomizedRecoverable+Purgeable', 204],
      ['Recoverable', 403],
      ['CustomizedRecoverable', 403],
      ['Recoverable+ProtectedSubscription', 403],
    ] as const) {
      const { name } = await stage.vault({ recoveryLevel });
      await stage.key(name, 'cmk');
      await stage.control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: 'cryptoOfficer' });
      await stage.call(name, 'DELETE', '/keys/cmk');
      await expect.poll(async () => (await stage.call(name, 'GET', '/deletedkeys/cmk')).status).toBe(200);
      const purged = await stage.call(name, 'DELETE', '/deletedkeys/cmk');
      expect([recoveryLevel, purged.status]).toEqual([recoveryLevel, status]);
      if (status === 403) expect(purged.json.error.message).toContain('purge protection is enabled for this vault');
      else expect((await stage.call(name, 'GET', '/deletedkeys/cmk')).status).toBe(404);
    }
  });

  it('a vault without soft delete deletes a key for good', async () => {
    const { name } = await stage.vault({ recoveryLevel: 'Purgeable' });
    await stage.key(name, 'cmk');
    await stage.control('DELETE', `/vaults/${name}/keys/cmk`);
    await stage.key(name, 'cmk');
    expect((await stage.call(name, 'GET', '/keys/cmk')).status).toBe(200);
  });

  it('a deleted key is purged when its retention has ended', async () => {
    const alone = await openStage();
    try {
      const { name } = await alone.vault();
      await alone.key(name, 'cmk');
      await alone.control('DELETE', `/vaults/${name}/keys/cmk`);
      await alone.control('POST', '/clock/advance', { days: 91 });
      await alone.key(name, 'cmk');
      expect((await alone.call(name, 'GET', '/keys/cmk')).status).toBe(200);
    } finally {
      await alone.stop();
    }
  });
});
