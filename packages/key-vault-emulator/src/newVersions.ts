/** New versions of keys: created, imported, rotated. */
import { type KeyObject, randomUUID } from 'node:crypto';
import { type Clock, seconds } from './clock.ts';
import { CURVES, RSA_SIZES, shapeOf } from './crypto.ts';
import { Refused } from './errors.ts';
import type { KeySource } from './keySource.ts';
import { checkedOps, EC_OPS, findVersion, liveKey, type NewKey, RSA_OPS } from './keys.ts';
import type { Key, KeyType, KeyVersion, Vault } from './model.ts';
import {
  badParameter,
  beingDeleted,
  beingRecovered,
  deletedButRecoverable,
  invalidValue,
  keyNotFound,
} from './refusals.ts';
import { expiryOfNewVersion } from './rotationPolicy.ts';

type Made = { key: Key; version: KeyVersion };

export async function createVersion(
  vault: Vault,
  name: string,
  input: NewKey,
  source: KeySource,
  clock: Clock,
  fixture?: number,
): Promise<Made> {
  refuseTakenName(vault, name, clock);
  return addVersion(vault, name, await newPrivateKey(input, source, fixture), input, clock);
}

export function importVersion(
  vault: Vault,
  name: string,
  privateKey: KeyObject,
  input: Omit<NewKey, 'kty'> & { hsm: boolean },
  clock: Clock,
): Made {
  const shape = shapeOf(privateKey);
  if (shape === undefined) throw new Refused(invalidValue());
  if (shape.family === 'RSA' && !isRsaSize(shape.size)) throw new Refused(invalidValue());
  const kty: KeyType = `${shape.family}${input.hsm ? '-HSM' : ''}`;
  refuseTakenName(vault, name, clock);
  return addVersion(vault, name, privateKey, { ...input, kty }, clock);
}

/** A new version of the same kind, with the attributes that the rotation policy sets. */
export async function rotateKey(vault: Vault, name: string, source: KeySource, clock: Clock) {
  const latest = findVersion(liveKey(vault, name, clock), undefined);
  if (latest === undefined) throw new Refused(keyNotFound(name));
  const { kty, size, curve, keyOps, tags, exportable } = latest;
  return createVersion(vault, name, { kty, size, curve, keyOps, tags, exportable }, source, clock);
}

function refuseTakenName(vault: Vault, name: string, clock: Clock): void {
  const key = vault.keys.get(name.toLowerCase());
  if (key?.deleted) {
    throw new Refused(clock.passed(key.deleted.listedFrom) ? deletedButRecoverable(name) : beingDeleted(name));
  }
  if (key?.hiddenUntil && !clock.passed(key.hiddenUntil)) throw new Refused(beingRecovered(name));
}

async function newPrivateKey(input: NewKey, source: KeySource, fixture?: number): Promise<KeyObject> {
  if (input.kty.startsWith('EC')) {
    // The default is the service's own (azure-sdk-for-js, recording_can_create_an_ec_key.json).
    const curve = input.curve ?? 'P-256';
    if (!Object.hasOwn(CURVES, curve)) throw new Refused(invalidValue());
    return source.ec(curve);
  }
  const size = input.size ?? 2048;
  if (!isRsaSize(size)) throw new Refused(invalidValue());
  if (fixture === undefined) return source.rsa(size);
  const ready = source.fixture(size, fixture);
  if (ready === undefined) throw new Refused(badParameter(`fixture: the pool has no RSA-${size} key ${fixture}`));
  return ready;
}

function isRsaSize(size: number): boolean {
  return (RSA_SIZES as readonly number[]).includes(size);
}

function addVersion(vault: Vault, name: string, privateKey: KeyObject, input: NewKey, clock: Clock) {
  // The key took time to generate, and a caller may have deleted the name since.
  refuseTakenName(vault, name, clock);
  const keyOps = checkedOps(input.kty, input.keyOps ?? (input.kty.startsWith('EC') ? EC_OPS : RSA_OPS));
  const key: Key = vault.keys.get(name.toLowerCase()) ?? { name, versions: [] };
  const shape = shapeOf(privateKey);
  const now = seconds(clock.now());
  const exp = input.attributes?.exp ?? expiryOfNewVersion(key.rotationPolicy, clock.now());
  const nbf = input.attributes?.nbf ?? undefined;
  // azure-rest-api-specs, KeyAttributes.exportable: the first version of an exportable key needs a release policy.
  const releasePolicy = input.releasePolicy ?? (input.exportable ? key.versions.at(-1)?.releasePolicy : undefined);
  if (input.exportable && releasePolicy === undefined) {
    throw new Refused(badParameter('An exportable key needs a release policy.'));
  }
  vault.changes += 1;
  const version: KeyVersion = {
    id: randomUUID().replaceAll('-', ''),
    kty: input.kty,
    ...(shape?.family === 'RSA' ? { size: shape.size } : { curve: shape?.curve ?? '' }),
    privateKey,
    keyOps,
    enabled: input.attributes?.enabled ?? true,
    ...(nbf === undefined ? {} : { nbf }),
    ...(exp === undefined ? {} : { exp }),
    created: now,
    updated: now,
    ...(input.tags === undefined ? {} : { tags: input.tags }),
    ...(input.exportable ? { exportable: true } : {}),
    ...(releasePolicy === undefined ? {} : { releasePolicy }),
    change: vault.changes,
  };
  key.versions.push(version);
  vault.keys.set(name.toLowerCase(), key);
  return { key, version };
}
