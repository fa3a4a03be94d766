/** The contracts of the overview. */
import * as z from 'zod';
import { causes } from '../../../core/base/causes.ts';
import {
  cause,
  count,
  guid,
  identity,
  keyIdentifier,
  keyVersion,
  pageOf,
  paging,
  time,
  versionExample,
  whoActs,
} from '../../pipeline/contractParts.ts';
import type { Contract } from '../../pipeline/route.ts';
import { rewrapFailures } from '../keys/keyContract.ts';
import { timelineContract } from './timelineContract.ts';

export const states = ['Enabled', 'CustomerKeyInaccessible', 'PendingDeletion'] as const;
export const statuses = ['Accessible', 'Suspect', 'Inaccessible', 'Unreachable', 'Unknown'] as const;
export const servedValues = ['yes', 'untilLeaseEnd', 'no'] as const;

const example = 'https://contoso-keys.vault.azure.net/keys/media';
const state = z.enum(states);
const status = z
  .enum(statuses)
  .meta({ description: 'Of the key. Unknown: Keyward has not checked the key for too long.' });
const served = z.enum(servedValues).meta({ description: 'What the data plane gets now.' });
const owner = z.string();

const byName = <T extends readonly string[]>(names: T) =>
  z.partialRecord(z.enum(names as unknown as [string, ...string[]]), count);

const countsExample = {
  accounts: 3,
  keys: 2,
  encryption: { SystemKey: 1, CustomerKey: 2 },
  state: { Enabled: 2, CustomerKeyInaccessible: 1 },
  status: { Accessible: 1, Inaccessible: 1 },
  cause: { KeyDisabled: 1 },
  served: { yes: 2, no: 1 },
};

const counts = z
  .strictObject({
    accounts: count,
    keys: count,
    encryption: byName(['SystemKey', 'CustomerKey']),
    state: byName(states),
    status: byName(statuses),
    cause: byName(causes),
    served: byName(servedValues).meta({
      description:
        'untilLeaseEnd: accounts whose key is Suspect, Unreachable or Unknown, also where no process can serve them.',
    }),
  })
  .meta({
    id: 'OverviewCounts',
    description: 'Of accounts, but for `keys`. A value that counts no account is absent.',
    examples: [countsExample],
  });
const head = {
  counts: counts
    .optional()
    .meta({ description: 'On the first page: of the key or owner of the filter, or of the service.' }),
  checkedSince: time.optional().meta({ description: 'No key of the service was last checked before this time.' }),
};

const auditVerification = z.strictObject({ finishedAt: time, chains: count, brokenCount: count }).optional().meta({
  description:
    'On the first page without a filter: the last daily verification of all audit chains that finished. `GET /api/operator/audit/verification` names broken chains.',
});

const failure = {
  cause: cause.optional(),
  meaning: z.string().optional(),
  whoActs: whoActs.optional(),
  remedy: z.string().optional().meta({ description: 'What to type, or to do.' }),
};
const failureExample = {
  cause: 'KeyDisabled',
  meaning: 'The key version that wraps the account key is disabled.',
  whoActs: 'customer',
  remedy: `Enable it again: az keyvault key set-attributes --vault-name contoso-keys --name media --version ${versionExample} --enabled true`,
};

const account = z
  .strictObject({
    name: z.string(),
    accountId: guid,
    owner,
    location: z.string(),
    createdAt: time,
    state,
    deletedAt: time.optional(),
    scheduledPurgeAt: time.optional(),
    served: served.optional(),
    servedUntil: time.optional(),
    encryption: z.enum(['SystemKey', 'CustomerKey']),
    keyIdentifier: keyIdentifier.optional(),
    status: status.optional(),
    since: time.optional(),
    lastCheckedAt: time.optional().meta({ description: 'The last check of the key was at this time or later.' }),
    ...failure,
    keyReleasedBy: time.optional(),
  })
  .meta({ id: 'OverviewAccount', description: 'GET of the account has everything about it.' });

const accountExample = {
  name: 'contoso-media',
  accountId: '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff',
  owner: 'contoso',
  location: 'westeurope',
  createdAt: '2026-11-23T19:40:00.000Z',
  state: 'CustomerKeyInaccessible',
  served: 'no',
  encryption: 'CustomerKey',
  keyIdentifier: example,
  status: 'Inaccessible',
  since: '2026-11-23T19:49:00.000Z',
  lastCheckedAt: '2026-11-23T19:52:00.000Z',
  ...failureExample,
  keyReleasedBy: '2026-11-23T19:54:00.000Z',
};

const version = z.strictObject({
  version: keyVersion,
  inUse: z.boolean().meta({ description: 'The version wraps the key of an account.' }),
  status: status.optional(),
  since: time.optional(),
  cause: cause.optional(),
  isLatest: z.boolean().optional().meta({ description: 'Absent: the newest version is not known.' }),
  notLatestSince: time.optional(),
  expiresOn: time.optional(),
  safeToDisable: z.boolean(),
});

export const overviewKey = z
  .strictObject({
    key: keyIdentifier,
    bindingId: z.string(),
    identity,
    owner,
    accounts: count,
    status,
    since: time,
    ...failure,
    checkedAt: time.meta({ description: 'The last check was at this time or later.' }),
    nextCheckAt: time.meta({ description: 'The next check is at this time or earlier.' }),
    versions: z.array(version),
    rotation: z.strictObject({ to: keyVersion, since: time, failed: count, failures: rewrapFailures }).optional(),
    newestUnknown: z.strictObject({ since: time, cause }).optional(),
    unusableVersion: z.strictObject({ version: keyVersion, cause, since: time, remedy: z.string() }).optional(),
  })
  .meta({ id: 'OverviewKey', description: 'A customer key. Its status is the worst of its versions in use.' });

export const overviewKeyExample = {
  key: example,
  bindingId: '6a09e667f3bcc908b2fb1366ea957d3e',
  identity: { useSystemAssignedIdentity: true },
  owner: 'contoso',
  accounts: 1,
  status: 'Inaccessible',
  since: '2026-11-23T19:49:00.000Z',
  ...failureExample,
  checkedAt: '2026-11-23T19:50:00.000Z',
  nextCheckAt: '2026-11-23T19:50:40.000Z',
  versions: [
    {
      version: versionExample,
      inUse: true,
      status: 'Inaccessible',
      since: '2026-11-23T19:49:00.000Z',
      cause: 'KeyDisabled',
      isLatest: true,
      safeToDisable: false,
    },
  ],
};

const ownerAnswer = z
  .strictObject({ owner, counts, value: z.array(overviewKey), nextLink: z.string().optional() })
  .meta({
    id: 'OverviewOwner',
    description: "An owner's keys, and the counts of its accounts.",
    examples: [{ owner: 'contoso', counts: countsExample, value: [overviewKeyExample] }],
  });

const filters = {
  owner: owner.optional().meta({ examples: ['contoso'] }),
  status: status.optional().meta({ examples: ['Inaccessible'] }),
  cause: cause.optional().meta({ examples: ['KeyDisabled'] }),
};
const keyFilter = keyIdentifier
  .optional()
  .meta({ description: 'With a version: on that version.', examples: [example] });

export const overviewContracts = {
  accounts: {
    summary: 'Lists accounts by state, status, cause, owner, key and name, with counts',
    query: {
      state: state.optional().meta({ examples: ['CustomerKeyInaccessible'] }),
      ...filters,
      served: served.optional().meta({ examples: ['no'] }),
      key: keyFilter,
      name: z
        .string()
        .optional()
        .meta({ description: 'What the name begins with.', pattern: '^[A-Za-z0-9-]{1,64}$', examples: ['contoso-'] }),
      ...paging,
    },
    answers: { 200: pageOf('OverviewAccountList', account, [accountExample], { ...head, auditVerification }) },
  },
  keys: {
    summary: 'Lists customer keys with their status, versions and accounts',
    query: { ...filters, ...paging },
    answers: { 200: pageOf('OverviewKeyList', overviewKey, [overviewKeyExample], head) },
  },
  owner: {
    summary: 'Gets an owner: its keys, and the counts of its accounts',
    params: { owner: owner.meta({ examples: ['contoso'] }) },
    query: paging,
    answers: { 200: ownerAnswer },
  },
  timeline: timelineContract,
} as const satisfies Record<string, Contract>;
