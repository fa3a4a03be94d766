/**
 * What a snapshot holds, for reading and for writing. It leaves out what ends with the process: faults, the log of
 * requests, the level of the throttling buckets, and undelivered events.
 */
import { createPrivateKey, KeyObject } from 'node:crypto';
import * as z from 'zod';
import { answers, throttle } from './controlVaults.ts';
import { clouds, vaultKinds } from './hosts.ts';
import { authModels, firewallModes, keyTypes, permissions, recoveryLevels } from './model.ts';

const privateKey = z.codec(
  z.string(),
  z.custom<KeyObject>((value) => value instanceof KeyObject),
  {
    decode(pem, context) {
      try {
        return createPrivateKey(pem);
      } catch {
        context.issues.push({ code: 'custom', message: 'is not a private key in PEM', input: pem });
        return z.NEVER;
      }
    },
    encode: (key) => key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  },
);

/** By the clock only, because the monotonic time of another process has no meaning in this one. */
const moment = z.codec(z.number(), z.object({ clock: z.number(), real: z.number() }), {
  decode: (clock) => ({ clock, real: performance.now() + clock - Date.now() }),
  encode: ({ clock }) => clock,
});

/** As a list, because an object cannot have every name as a key. */
const mapOf = <T>(value: z.ZodType<T>) =>
  z.codec(z.array(z.object({ id: z.string(), value })), z.map(z.string(), z.custom<T>()), {
    decode: (entries) => new Map(entries.map((entry) => [entry.id, entry.value])),
    encode: (map) => Array.from(map, ([id, one]) => ({ id, value: one })),
  });

const optionalInt = z.int().exactOptional();
const texts = z.array(z.string()).readonly();
const textByName = z.record(z.string(), z.string());
const permissionList = z.array(z.enum(permissions)).readonly();

const releasePolicy = z.object({
  contentType: z.string().exactOptional(),
  data: z.string(),
  immutable: z.boolean().exactOptional(),
});

const keyVersion = z.object({
  id: z.string(),
  kty: z.enum(keyTypes),
  size: optionalInt,
  curve: z.string().exactOptional(),
  privateKey,
  keyOps: texts,
  enabled: z.boolean(),
  tags: textByName.exactOptional(),
  exportable: z.boolean().exactOptional(),
  releasePolicy: releasePolicy.exactOptional(),
  nbf: optionalInt,
  exp: optionalInt,
  nearExpiryEmittedFor: optionalInt,
  expiredEmittedFor: optionalInt,
  created: z.int(),
  updated: z.int(),
  change: z.int(),
});

const trigger = z.object({ timeAfterCreate: z.string().nullish(), timeBeforeExpiry: z.string().nullish() });
const action = z.object({ type: z.enum(['Rotate', 'Notify']) });
const rotationPolicy = z.object({
  lifetimeActions: z.array(z.object({ trigger, action })),
  expiryTime: z.string().exactOptional(),
  created: z.int(),
  updated: z.int(),
});

const deletion = { at: z.number(), purgeAt: z.number() };
const key = z.object({
  name: z.string(),
  versions: z.array(keyVersion),
  rotationPolicy: rotationPolicy.exactOptional(),
  deleted: z.object({ ...deletion, listedFrom: moment }).exactOptional(),
  hiddenUntil: moment.exactOptional(),
});

const roleAssignment = z.object({
  id: z.string(),
  principal: z.string(),
  permissions: permissionList,
  key: z.string().exactOptional(),
  from: moment,
  until: moment.exactOptional(),
});

const eventSubscription = z.object({
  name: z.string(),
  endpoint: z.string(),
  headers: textByName,
  since: z.int(),
  schema: z.enum(['eventGrid', 'cloudEvents']),
  destination: z.enum(['webhook', 'azureFunction']),
  state: z.enum(['Succeeded', 'AwaitingManualAction']),
  validationCode: z.string().exactOptional(),
});

const vault = z.object({
  name: z.string(),
  host: z.string(),
  kind: z.enum(vaultKinds),
  cloud: z.enum(clouds),
  tenantId: z.string(),
  location: z.string(),
  subscriptionId: z.string(),
  resourceGroup: z.string(),
  recoveryLevel: z.enum(recoveryLevels),
  recoverableDays: z.int(),
  deleted: z.object(deletion).exactOptional(),
  authModel: z.enum(authModels),
  firewall: z.enum(firewallModes),
  answers: answers.required(),
  throttle: throttle.required(),
  roleAssignments: z.array(roleAssignment),
  accessPolicies: mapOf(permissionList),
  keys: mapOf(key),
  subscriptions: z.array(eventSubscription),
  changes: z.int(),
});

export const snapshotSchema = z.object({
  format: z.literal('keyward-keyvault-emulator'),
  version: z.literal(1),
  id: z.string(),
  clockOffsetMs: z.number(),
  vaults: mapOf(vault),
  resourceSubscriptions: mapOf(z.array(eventSubscription)),
});
