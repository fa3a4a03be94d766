/** The operations of the data plane, after every check has passed. This file parses their bodies. */
import * as z from 'zod';
import { deletedKeyBundle, keyBundle, keyId, keyUrl } from './bundles.ts';
import { seconds } from './clock.ts';
import { decrypt, encrypt, fromBase64url, fromJwk, sign } from './crypto.ts';
import { Refused } from './errors.ts';
import * as keys from './keys.ts';
import { deletedItems, liveItems, page, versionItems } from './lists.ts';
import { type Key, type KeyType, type KeyVersion, keyTypes, type Vault } from './model.ts';
import { createVersion, importVersion, rotateKey } from './newVersions.ts';
import {
  badParameter,
  deletedKeyNotFound,
  invalidValue,
  keyNotFound,
  notBase64url,
  notEmulated,
  undecryptable,
} from './refusals.ts';
import { policyBody, policyError, rotationPolicySchema } from './rotationPolicy.ts';
import { isCrypto, type Route } from './routes.ts';
import { emitKeyEvent, type World } from './world.ts';

export type Success = { status: number; body?: unknown };

const attributes = z
  .object({
    enabled: z.boolean().nullish(),
    nbf: z.number().int().nullish(),
    exp: z.number().int().nullish(),
    exportable: z.boolean().nullish(),
    external_key: z.unknown().optional(),
  })
  .nullish();
const releasePolicy = z
  .object({
    contentType: z.string().nullish(),
    data: z.string().refine((text) => fromBase64url(text) !== undefined),
    immutable: z.boolean().nullish(),
  })
  .nullish();
const tags = z.record(z.string(), z.string()).nullish();
const keyOps = z.array(z.string()).nullish();

const createBody = z.object({
  kty: z.enum([...keyTypes, 'oct', 'oct-HSM']),
  public_exponent: z.number().nullish(),
  key_size: z.number().nullish(),
  crv: z.string().nullish(),
  key_ops: keyOps,
  attributes,
  tags,
  release_policy: releasePolicy,
});
const importBody = z.object({
  Hsm: z.boolean().nullish(),
  hsm: z.boolean().nullish(),
  key: z.looseObject({ kty: z.string(), key_ops: keyOps }),
  attributes,
  tags,
  release_policy: releasePolicy,
});
const updateBody = z.object({ key_ops: keyOps, attributes, tags, release_policy: releasePolicy });
const cryptoBody = z.object({ alg: z.string(), value: z.unknown().optional() });

export async function carryOut(world: World, vault: Vault, route: Route, body: unknown): Promise<Success> {
  const { clock, timings } = world;
  const name = route.key ?? '';
  const live = () => keys.liveKey(vault, name, clock);
  switch (route.operation) {
    case 'list':
      return { status: 200, body: page(vault, route, liveItems(vault, clock)) };
    case 'listversions':
      return { status: 200, body: page(vault, route, versionItems(vault, live())) };
    case 'listdeleted':
      return { status: 200, body: page(vault, route, deletedItems(vault, clock)) };
    case 'get': {
      const { key, version } = existing(live(), route);
      return { status: 200, body: keyBundle(vault, key, version) };
    }
    case 'create': {
      const input = parse(createBody, body);
      const made = await createVersion(vault, name, newKey(input), world.source, clock);
      return newVersion(world, vault, made);
    }
    case 'import': {
      const input = parse(importBody, body);
      if (input.key.kty.startsWith('oct')) throw new Refused(notEmulated(`keys of the type ${input.key.kty}`));
      const privateKey = fromJwk(input.key);
      if (privateKey === undefined) throw new Refused(invalidValue());
      const hsm = input.Hsm ?? input.hsm ?? input.key.kty.endsWith('-HSM');
      const made = importVersion(
        vault,
        name,
        privateKey,
        { ...update(input), keyOps: input.key.key_ops ?? undefined, hsm },
        clock,
      );
      return newVersion(world, vault, made);
    }
    case 'rotate':
      return newVersion(world, vault, await rotateKey(vault, name, world.source, clock));
    case 'update': {
      const { key, version } = existing(live(), route);
      keys.updateVersion(vault, version, update(parse(updateBody, body)), clock);
      return { status: 200, body: keyBundle(vault, key, version) };
    }
    case 'getrotationpolicy': {
      const { key } = existing(live(), route);
      return { status: 200, body: policyBody(keyUrl(vault, key), key.rotationPolicy) };
    }
    case 'setrotationpolicy': {
      const { key } = existing(live(), route);
      setRotationPolicy(key, body, seconds(clock.now()));
      return { status: 200, body: policyBody(keyUrl(vault, key), key.rotationPolicy) };
    }
    case 'delete': {
      const { key, version } = existing(live(), route);
      keys.deleteKey(vault, key, clock, timings.deleteDelayMs);
      return { status: 200, body: deletedKeyBundle(vault, key, version) };
    }
    case 'getdeleted': {
      const key = keys.deletedKey(vault, name, clock);
      const version = key?.versions.at(-1);
      if (key === undefined || version === undefined) throw new Refused(deletedKeyNotFound(name));
      return { status: 200, body: deletedKeyBundle(vault, key, version) };
    }
    case 'recover': {
      const { key, version } = existing(keys.recoverKey(vault, name, clock, timings.recoverDelayMs), route);
      return { status: 200, body: keyBundle(vault, key, version) };
    }
    case 'purge':
      keys.purgeKey(vault, name, clock);
      return { status: 204 };
    case 'wrapkey':
    case 'unwrapkey':
    case 'encrypt':
    case 'decrypt':
    case 'sign': {
      const { key, version } = existing(live(), route);
      return { status: 200, body: crypt(vault, key, version, route.operation, body) };
    }
  }
}

/** The algorithm in the body, for the check that precedes the operation. */
export function algorithmIn(route: Route, body: unknown): unknown {
  return isCrypto(route.operation) && typeof body === 'object' && body !== null && 'alg' in body ? body.alg : undefined;
}

export function setRotationPolicy(key: Key, body: unknown, now: number): void {
  const input = parse(rotationPolicySchema, body);
  const error = policyError(input);
  if (error !== undefined) throw new Refused(badParameter(error));
  key.rotationPolicy = {
    lifetimeActions: input.lifetimeActions ?? [],
    ...(input.attributes?.expiryTime ? { expiryTime: input.attributes.expiryTime } : {}),
    created: key.rotationPolicy?.created ?? now,
    updated: now,
  };
}

function crypt(vault: Vault, key: Key, version: KeyVersion, operation: string, body: unknown) {
  const { alg, value } = parse(cryptoBody, body);
  const bytes = fromBase64url(value);
  if (bytes === undefined) throw new Refused(notBase64url('value'));
  if (operation === 'sign') {
    const signature = sign(version.privateKey, alg, bytes);
    if (signature === undefined) throw new Refused(invalidValue());
    return { kid: keyId(vault, key, version), value: signature.toString('base64url') };
  }
  const forward = operation === 'wrapkey' || operation === 'encrypt';
  const result = forward ? encrypt(version.privateKey, alg, bytes) : decrypt(version.privateKey, alg, bytes);
  if (result === undefined) throw new Refused(forward ? invalidValue() : undecryptable(vault.answers.undecryptable));
  return { kid: keyId(vault, key, version), value: result.toString('base64url') };
}

function newVersion(world: World, vault: Vault, { key, version }: { key: Key; version: KeyVersion }): Success {
  emitKeyEvent(world, 'KeyNewVersionCreated', vault, key, version);
  return { status: 200, body: keyBundle(vault, key, version) };
}

function newKey({ kty, ...input }: z.infer<typeof createBody>): keys.NewKey {
  if (typeof input.public_exponent === 'number' && input.public_exponent !== 65_537) {
    throw new Refused(notEmulated('a public exponent other than 65537'));
  }
  return { ...update(input), kty: emulatedType(kty), size: input.key_size ?? undefined, curve: input.crv ?? undefined };
}

function emulatedType(kty: string): KeyType {
  const known = keyTypes.find((one) => one === kty);
  if (known === undefined) throw new Refused(notEmulated(`keys of the type ${kty}`));
  return known;
}

function update(input: z.infer<typeof updateBody>): keys.KeyUpdate {
  const { enabled, nbf, exp, exportable, external_key: externalKey } = input.attributes ?? {};
  if (externalKey !== undefined && externalKey !== null) throw new Refused(notEmulated('external keys'));
  const { contentType, data = '', immutable } = input.release_policy ?? {};
  const policy = {
    data,
    ...(typeof contentType === 'string' ? { contentType } : {}),
    ...(typeof immutable === 'boolean' ? { immutable } : {}),
  };
  return {
    exportable: exportable ?? undefined,
    releasePolicy: input.release_policy ? policy : undefined,
    keyOps: input.key_ops ?? undefined,
    tags: input.tags ?? undefined,
    attributes: { enabled: enabled ?? undefined, nbf: nbf ?? undefined, exp: exp ?? undefined },
  };
}

/** The checks have found the key, but another call may have deleted it since. */
function existing(key: Key | undefined, route: Route): { key: Key; version: KeyVersion } {
  const version = keys.findVersion(key, route.version);
  if (key === undefined || version === undefined) throw new Refused(keyNotFound(route.key ?? '', route.version));
  return { key, version };
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (!result.success) throw new Refused(invalidValue());
  return result.data;
}
