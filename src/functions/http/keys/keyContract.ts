/** The contracts of the operator's calls on keys. */
import * as z from 'zod';
import { errorCodes } from '../../../core/base/errors.ts';
import { maxAccountNameLength } from '../../../core/base/names.ts';
import {
  accountName,
  cause,
  count,
  identity,
  keyIdentifier,
  keyVersion,
  owner,
  pageOf,
  paging,
  time,
  versionExample,
  whoActs,
} from '../../pipeline/contractParts.ts';
import type { Contract } from '../../pipeline/route.ts';
import { accountAnswer } from '../accounts/accountContract.ts';

const example = 'https://contoso-keys.vault.azure.net/keys/media';

/** The body that names the account or key to check or to re-wrap. */
export const accountOrKey = z
  .union(
    [
      z.strictObject({
        account: z
          .string()
          .max(maxAccountNameLength)
          .meta({ pattern: accountName.meta()?.pattern as string }),
      }),
      z.strictObject({
        keyIdentifier: z
          .string()
          .max(300)
          .meta({ examples: [example] }),
      }),
    ],
    'Send either account or keyIdentifier.',
  )
  .meta({ id: 'AccountOrKey', examples: [{ account: 'contoso-media' }, { keyIdentifier: example }] });

const versionUsage = z.strictObject({
  version: keyVersion,
  accounts: count,
  pinned: count.meta({
    description: 'Accounts of these that are pinned to the version: only their owner can change that.',
  }),
  isLatest: z.boolean().optional().meta({ description: 'Absent when Keyward does not know the newest version.' }),
  notLatestSince: time.optional(),
  safeToDisable: z.boolean(),
});

export const rewrapFailures = z
  .array(
    z.strictObject({
      account: z.string(),
      code: z.enum(errorCodes),
      meaning: z.string(),
      whoActs: z.enum(['customer', 'operator', 'caller', 'none']),
      remedy: z.string(),
    }),
  )
  .optional()
  .meta({ description: 'The first accounts that could not be re-wrapped.' });

const keyUsage = z
  .strictObject({
    keyIdentifier,
    asOf: time,
    versions: z.array(versionUsage),
    rotations: z.array(
      z.strictObject({
        to: keyVersion,
        since: time,
        done: count,
        left: count,
        failed: count,
        failures: rewrapFailures,
        waiting: z.literal(true).optional(),
      }),
    ),
    newestUnknown: z
      .strictObject({ since: time, cause })
      .optional()
      .meta({ description: 'Keyward cannot read the newest version, so it does not follow rotations.' }),
    unusableVersions: z.array(z.strictObject({ version: keyVersion, cause, since: time, remedy: z.string() })),
  })
  .meta({
    id: 'KeyUsage',
    examples: [
      {
        keyIdentifier: example,
        asOf: '2026-11-23T19:50:00.000Z',
        versions: [{ version: versionExample, accounts: 12, pinned: 0, isLatest: true, safeToDisable: false }],
        rotations: [],
        unusableVersions: [],
      },
    ],
  });

const holder = z
  .strictObject({ account: z.string(), owner, follows: z.boolean(), keyIdentifier })
  .meta({ id: 'KeyHolder' });
const holderExample = { account: 'contoso-media', owner: 'contoso', follows: true, keyIdentifier: example };

const named = keyIdentifier.meta({ description: 'The key. Keyward ignores a version in it.', examples: [example] });

export const keyContracts = {
  usage: {
    summary: 'Counts the accounts of a key by version, and says which versions are safe to disable',
    query: { keyIdentifier: named },
    answers: { 200: keyUsage },
  },
  accounts: {
    summary: 'Lists the accounts that one version wraps',
    query: {
      keyIdentifier: named,
      version: keyVersion.meta({ pattern: '^[0-9a-fA-F]{32}$', examples: [versionExample] }),
      ...paging,
    },
    answers: { 200: pageOf('KeyHolderList', holder, [holderExample]) },
  },
  rewrap: {
    summary: "Re-wraps one account at once, or a key's accounts in the background",
    body: accountOrKey,
    answers: { 200: accountAnswer, 202: undefined },
    headers: { 202: ['Location'] },
  },
} as const satisfies Record<string, Contract>;

const version = z.strictObject({
  version: keyVersion,
  status: z.enum(['Accessible', 'Suspect', 'Inaccessible', 'Unreachable', 'Unknown']),
  since: time,
  lookedAt: time,
  lastAccessibleAt: time,
  cause: cause.optional(),
  meaning: z.string().optional(),
  whoActs: whoActs.optional(),
  remedy: z.string().optional(),
});

const looks = z
  .strictObject({
    value: z.array(z.strictObject({ key: keyIdentifier, identity, nextLookAt: time, versions: z.array(version) })),
  })
  .meta({
    id: 'Looks',
    examples: [
      {
        value: [
          {
            key: example,
            identity: { useSystemAssignedIdentity: true },
            nextLookAt: '2026-11-23T19:51:00.000Z',
            versions: [
              {
                version: versionExample,
                status: 'Accessible',
                since: '2026-11-23T19:41:00.000Z',
                lookedAt: '2026-11-23T19:50:00.000Z',
                lastAccessibleAt: '2026-11-23T19:50:00.000Z',
              },
            ],
          },
        ],
      },
    ],
  });

export const lookContract: Contract = {
  summary: 'Checks a key now, and returns the result',
  body: accountOrKey,
  answers: { 200: looks },
};
