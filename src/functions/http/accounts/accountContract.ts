/** The schemas of an account as callers read it, and the contracts of the calls on accounts. */
import * as z from 'zod';
import {
  cause,
  count,
  etag,
  guid,
  identity,
  keyIdentifier,
  keyVersion,
  owner,
  pageOf,
  paging,
  shownName,
  systemData,
  systemDataExample,
  time,
  versionExample,
  whoActs,
} from '../../pipeline/contractParts.ts';
import type { Contract } from '../../pipeline/route.ts';
import { accountBody } from './accountInput.ts';

const warning = z
  .union([
    z.strictObject({
      code: z.literal('NewVersionUnusable'),
      keyVersion,
      cause,
      since: time,
      remedy: z.string(),
    }),
    z.strictObject({
      code: z.literal('NewerVersionAvailable'),
      keyVersion,
      rotation: z.strictObject({ since: time, done: count, failed: count }).optional(),
    }),
    z.strictObject({ code: z.literal('KeyNotReadable'), cause, since: time, remedy: z.string() }),
    z.strictObject({ code: z.enum(['KeyNearExpiry', 'KeyExpired']), expiresOn: time }),
  ])
  .meta({ id: 'KeyWarning' });

/** How far the account is from using only its newest account key. */
const olderAccountKeys = z
  .strictObject({ phase: z.enum(['moving', 'retiring']), since: time, generations: z.array(count) })
  .optional();

const encryption = z.union([
  z.strictObject({ type: z.literal('SystemKey'), accountKeyGeneration: count, olderAccountKeys }),
  z.strictObject({
    type: z.literal('CustomerKey'),
    keyVaultProperties: z.strictObject({
      keyIdentifier,
      currentKeyIdentifier: z.string().meta({ description: 'The version that wraps the account key now.' }),
    }),
    identity,
    accountKeyGeneration: count,
    olderAccountKeys,
    status: z.enum(['Accessible', 'Suspect', 'Inaccessible', 'Unreachable', 'Unknown']).meta({
      description:
        'Unknown: Keyward has not checked the key for longer than twice the longest time between two checks.',
    }),
    served: z.enum(['yes', 'untilLeaseEnd', 'no']).meta({
      description:
        'Whether the data plane can use the key now. untilLeaseEnd: only processes that hold the account key, until servedUntil.',
    }),
    servedUntil: time.optional(),
    lastCheckedAt: time.optional(),
    since: time.optional(),
    lastAccessibleAt: time.optional(),
    keyReleasedBy: time.optional().meta({
      description: 'The latest time at which a process could still use the account key of a revoked customer key.',
    }),
    cause: cause.optional(),
    meaning: z.string().optional(),
    whoActs: whoActs.optional(),
    remedy: z.string().optional().meta({ description: 'The command to run, or the step to take.' }),
    nextLookAt: time.optional(),
    warnings: z.array(warning),
  }),
]);

const example = {
  id: '/accounts/contoso-media',
  name: 'contoso-media',
  type: 'Keyward/accounts',
  location: 'westeurope',
  tags: { team: 'media' },
  properties: {
    accountId: '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff',
    owner: 'contoso',
    state: 'Enabled',
    provisioningState: 'Succeeded',
    encryption: {
      type: 'CustomerKey',
      keyVaultProperties: {
        keyIdentifier: 'https://contoso-keys.vault.azure.net/keys/media',
        currentKeyIdentifier: `https://contoso-keys.vault.azure.net/keys/media/${versionExample}`,
      },
      identity: { useSystemAssignedIdentity: true, principalId: '3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f' },
      accountKeyGeneration: 2,
      status: 'Suspect',
      served: 'untilLeaseEnd',
      servedUntil: '2026-11-23T19:54:00.000Z',
      lastCheckedAt: '2026-11-23T19:49:00.000Z',
      since: '2026-11-23T19:49:00.000Z',
      lastAccessibleAt: '2026-11-23T19:48:00.000Z',
      keyReleasedBy: '2026-11-23T19:54:00.000Z',
      cause: 'KeyDisabled',
      meaning: 'The key version that wraps the account key is disabled.',
      whoActs: 'customer',
      remedy: `Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version ${versionExample} --enabled true`,
      nextLookAt: '2026-11-23T19:49:10.000Z',
      warnings: [],
    },
  },
  systemData: systemDataExample,
  etag: '"0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff.2"',
};

export const accountAnswer = z
  .strictObject({
    id: z.string(),
    name: shownName,
    type: z.literal('Keyward/accounts'),
    location: z.string().meta({ maxLength: 90 }),
    tags: z.record(z.string(), z.string()),
    properties: z.strictObject({
      accountId: guid.meta({ description: 'Differs from that of a later account of the same name.' }),
      owner,
      state: z.enum(['Enabled', 'CustomerKeyInaccessible', 'PendingDeletion']),
      deletedAt: time.optional().meta({ description: 'Present while the deletion of the account is pending.' }),
      scheduledPurgeAt: time.optional().meta({
        description: 'When Keyward destroys the key of the deleted account. Until then, recover brings it back.',
      }),
      provisioningState: z.literal('Succeeded'),
      subscriptionId: z.string().optional(),
      resourceGroupName: z.string().optional(),
      auditKeyUse: z.literal(true).optional(),
      leaseSeconds: count.optional().meta({ description: 'Present when the account shortens the lease of its key.' }),
      encryption,
    }),
    systemData,
    etag,
  })
  .meta({ id: 'Account', examples: [example] });

const damaged = z.array(z.string()).optional().meta({
  description: 'Accounts of this page whose stored rows are not as Keyward wrote them. The log names each row.',
});

const headers = ['ETag'] as const;

export const accountContracts = {
  list: {
    summary: 'Lists accounts by name',
    query: paging,
    answers: { 200: pageOf('AccountList', accountAnswer, [example], { damaged }) },
  },
  get: {
    summary: 'Gets an account',
    answers: { 200: accountAnswer, 304: undefined },
    headers: { 200: headers, 304: headers },
  },
  put: {
    summary: 'Creates an account, or changes the properties that the body names',
    body: accountBody,
    conditional: 'create',
    answers: { 200: accountAnswer, 201: accountAnswer },
    headers: { 200: headers, 201: headers },
  },
  patch: {
    summary: 'Changes the properties that the body names',
    body: accountBody,
    conditional: 'match',
    answers: { 200: accountAnswer },
    headers: { 200: headers },
  },
  delete: {
    summary: 'Deletes an account: after a waiting window when it protects secrets or data keys, else at once',
    query: {
      now: z
        .enum(['true', 'false'])
        .optional()
        .meta({
          description: 'true: destroys the account key at once, also while a deletion is pending.',
          examples: ['true'],
        }),
    },
    conditional: 'match',
    answers: { 200: undefined, 202: accountAnswer, 204: undefined },
    headers: { 202: headers },
  },
  recover: {
    summary: 'Recovers a deleted account before its scheduled purge',
    conditional: 'match',
    answers: { 200: accountAnswer },
    headers: { 200: headers },
  },
  rotateKey: {
    summary: 'Makes a new account key, and encrypts the secrets again in the background',
    conditional: 'match',
    answers: { 202: accountAnswer },
    headers: { 202: headers },
  },
} as const satisfies Record<string, Contract>;
