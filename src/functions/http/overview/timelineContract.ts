/** The contract of the time line. */
import * as z from 'zod';
import { auditTypes } from '../../../core/audit/auditFacts.ts';
import { keyIdentifier, pageOf, paging, time, versionExample } from '../../pipeline/contractParts.ts';
import type { Contract } from '../../pipeline/route.ts';
import { auditEntry } from '../audit/auditContract.ts';

export const orders = ['newest', 'oldest'] as const;

const example = 'https://contoso-keys.vault.azure.net/keys/media';
const owner = z.string();

const subject = z
  .strictObject({
    kind: z.enum(['account', 'key', 'service']),
    account: z.string().optional(),
    key: keyIdentifier.optional(),
    owner: owner.optional(),
  })
  .meta({ id: 'TimelineSubject' });

const timelineEntry = z
  .strictObject({ at: time, subject, entry: auditEntry })
  .meta({ id: 'TimelineEntry', description: 'An audit entry, with what its chain is about.' });

const timelineExample = {
  at: '2026-11-23T19:49:00.000Z',
  subject: { kind: 'account', account: 'contoso-media', owner: 'contoso' },
  entry: {
    type: 'CustomerKeyInaccessible',
    actor: { kind: 'keyward', id: 'reconcile' },
    cause: 'KeyDisabled',
    epoch: 1,
    key: `${example}/${versionExample}`,
    chain: '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff',
    sequence: 3,
    at: '2026-11-23T19:49:00.000Z',
    keyGeneration: 1,
    previousHash: 'Y2k0b9J5m0hYb0n0xk8l3gq7Jt9zqv7w2H5EmbY0dWc',
    hash: 'mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E',
  },
};

export const timelineContract = {
  summary: 'Lists audit entries of all accounts, keys and the service by time',
  query: {
    from: time.optional().meta({ description: 'Default: 24 hours before `to`.', examples: ['2026-11-23T02:00:00Z'] }),
    to: time.optional().meta({ description: 'Not included. Default: now.', examples: ['2026-11-23T04:00:00Z'] }),
    order: z
      .enum(orders)
      .optional()
      .meta({ description: 'Default: newest first.', examples: ['newest'] }),
    owner: owner.optional().meta({ examples: ['contoso'] }),
    account: z
      .string()
      .optional()
      .meta({ pattern: '^[A-Za-z0-9-]{1,64}$', examples: ['contoso-media'] }),
    key: keyIdentifier.optional(),
    type: z
      .enum(auditTypes)
      .optional()
      .meta({ examples: ['CustomerKeyInaccessible'] }),
    ...paging,
  },
  answers: { 200: pageOf('Timeline', timelineEntry, [timelineExample]) },
} as const satisfies Contract;
