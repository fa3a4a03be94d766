/**
 * Control calls: what the customer does to keys. They need no token and no permission; the rules of the service apply.
 */
import * as z from 'zod';
import { deletedKeyBundle, keyBundle, keyUrl } from './bundles.ts';
import { seconds } from './clock.ts';
import { type ControlCall, type ControlRoute, notFound, param, read, time, vaultOf } from './controlCall.ts';
import { fromJwk, fromPem } from './crypto.ts';
import * as keys from './keys.ts';
import { type Key, type KeyVersion, keyTypes, type Vault } from './model.ts';
import { createVersion, importVersion, rotateKey } from './newVersions.ts';
import { setRotationPolicy } from './operations.ts';
import { policyBody } from './rotationPolicy.ts';
import { emitKeyEvent } from './world.ts';

const common = {
  keyOps: z.array(z.string()).optional(),
  enabled: z.boolean().optional(),
  nbf: time,
  exp: time,
  tags: z.record(z.string(), z.string()).optional(),
};

const newKey = z.strictObject({
  ...common,
  kty: z.enum(keyTypes).default('RSA'),
  size: z.number().optional(),
  curve: z.string().optional(),
  fixture: z.number().int().nonnegative().optional(),
});

const imported = z
  .strictObject({
    ...common,
    jwk: z.record(z.string(), z.unknown()).optional(),
    pem: z.string().optional(),
    hsm: z.boolean().default(false),
  })
  .refine(({ jwk, pem }) => (jwk === undefined) !== (pem === undefined), { path: ['jwk'], message: 'give jwk or pem' });

const changed = z.strictObject(common);

type Common = z.infer<typeof changed>;

export const keyRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/control/vaults/:vault/keys/:key',
    about: 'create a key or its next version; times in seconds or ISO 8601',
    example: () => ({ kty: 'RSA', size: 3072, exp: '2030-01-01T00:00:00Z' }),
    async run(call) {
      const { kty, size, curve, fixture, ...rest } = read(newKey, call.body);
      const input = { kty, size, curve, ...update(rest) };
      const { source, clock } = call.world;
      const made = await createVersion(vaultOf(call), param(call, 'key'), input, source, clock, fixture);
      return announced(call, made);
    },
  },
  {
    method: 'PUT',
    path: '/control/vaults/:vault/keys/:key',
    about: 'import a private key, {"jwk": {...}} or {"pem": "..."}',
    run(call) {
      const { jwk, pem, hsm, ...rest } = read(imported, call.body);
      const privateKey = jwk === undefined ? fromPem(pem ?? '') : fromJwk(jwk);
      if (privateKey === undefined) return read(z.never(`${jwk ? 'jwk' : 'pem'}: not a private key`), call.body);
      const input = { hsm, ...update(rest) };
      return announced(call, importVersion(vaultOf(call), param(call, 'key'), privateKey, input, call.world.clock));
    },
  },
  {
    method: 'GET',
    path: '/control/vaults/:vault/keys/:key',
    about: 'a key and all its versions, deleted or not',
    run(call) {
      const { vault, key } = anyKey(call);
      return { ...view(vault, key), versions: key.versions.map((version) => keyBundle(vault, key, version)) };
    },
  },
  {
    method: 'PATCH',
    path: '/control/vaults/:vault/keys/:key',
    about: 'change the latest version: enabled, nbf, exp (null removes it), keyOps, tags',
    example: () => ({ enabled: false }),
    run: change,
  },
  {
    method: 'PATCH',
    path: '/control/vaults/:vault/keys/:key/:version',
    about: 'change one version',
    example: () => ({ exp: null }),
    run: change,
  },
  {
    method: 'POST',
    path: '/control/vaults/:vault/keys/:key/rotate',
    about: 'create the next version',
    async run(call) {
      const { source, clock } = call.world;
      return announced(call, await rotateKey(vaultOf(call), param(call, 'key'), source, clock));
    },
  },
  {
    method: 'PUT',
    path: '/control/vaults/:vault/keys/:key/rotationpolicy',
    about: 'set the rotation policy, in the shape of the data plane',
    example: () => ({
      lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }],
      attributes: { expiryTime: 'P90D' },
    }),
    async run(call) {
      const { vault, key } = anyKey(call);
      setRotationPolicy(key, call.body, seconds(call.world.clock.now()));
      await call.world.catchUp();
      return policyBody(keyUrl(vault, key), key.rotationPolicy);
    },
  },
  {
    method: 'DELETE',
    path: '/control/vaults/:vault/keys/:key',
    about: 'delete a key with all its versions',
    run(call) {
      const vault = vaultOf(call);
      const key = keys.liveKey(vault, param(call, 'key'), call.world.clock);
      if (key === undefined) throw notFound(`key ${param(call, 'key')}`);
      keys.deleteKey(vault, key, call.world.clock, call.world.timings.deleteDelayMs);
      return view(vault, key);
    },
  },
  {
    method: 'POST',
    path: '/control/vaults/:vault/keys/:key/recover',
    about: 'recover a deleted key',
    run(call) {
      const vault = vaultOf(call);
      const { clock, timings } = call.world;
      return view(vault, keys.recoverKey(vault, param(call, 'key'), clock, timings.recoverDelayMs));
    },
  },
  {
    method: 'POST',
    path: '/control/vaults/:vault/keys/:key/purge',
    about: 'purge a deleted key (refused with purge protection)',
    run: (call) => keys.purgeKey(vaultOf(call), param(call, 'key'), call.world.clock),
  },
];

async function change(call: ControlCall): Promise<unknown> {
  const input = update(read(changed, call.body));
  const { vault, key } = anyKey(call);
  const version = keys.findVersion(key, call.params.version);
  if (key.deleted || version === undefined) throw notFound(`version ${call.params.version ?? ''} of ${key.name}`);
  keys.updateVersion(vault, version, input, call.world.clock);
  await call.world.catchUp();
  return keyBundle(vault, key, version);
}

function anyKey(call: ControlCall): { vault: Vault; key: Key } {
  const vault = vaultOf(call);
  const key = vault.keys.get(param(call, 'key').toLowerCase());
  if (key === undefined) throw notFound(`key ${param(call, 'key')}`);
  return { vault, key };
}

async function announced(call: ControlCall, { key, version }: { key: Key; version: KeyVersion }): Promise<unknown> {
  const vault = vaultOf(call);
  emitKeyEvent(call.world, 'KeyNewVersionCreated', vault, key, version);
  await call.world.catchUp();
  return keyBundle(vault, key, version);
}

function update({ keyOps, tags, enabled, nbf, exp }: Common): keys.KeyUpdate {
  return { keyOps, tags, attributes: { enabled, nbf, exp } };
}

function view(vault: Vault, key: Key): object {
  const latest = key.versions.at(-1);
  return latest === undefined ? {} : deletedKeyBundle(vault, key, latest);
}
