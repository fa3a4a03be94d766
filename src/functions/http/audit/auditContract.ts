/** The contracts of the audit: entries as they are stored, and the findings of a verification. */
import * as z from 'zod';
import { type AuditEntry, shownEntry } from '../../../core/audit/auditEntry.ts';
import { auditTypes } from '../../../core/audit/auditFacts.ts';
import { auditFacts } from '../../../core/audit/auditFactsSchema.ts';
import { flawNames } from '../../../core/audit/chainCheck.ts';
import {
  cause,
  count,
  guid,
  identity,
  keyIdentifier,
  pageOf,
  paging,
  time,
  whoActs,
} from '../../pipeline/contractParts.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import type { Contract } from '../../pipeline/route.ts';

const accountExample = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff';
const bindingExample = '6a09e667f3bcc908b2fb1366ea957d3e';
const hashExample = 'mbY0dWcUq1vQ7r5m0hYb0n0xk8l3gq7Jt9zqv7w2H5E';

const chain = z.string().meta({ description: 'An account id, a binding id, or `service`.' });
const sequence = z.int().min(0).max(9_999_999_999);
const hash = z.string().meta({ description: 'HMAC-SHA-256, base64url. Empty before the first entry.' });

export const auditEntry = z
  .strictObject({
    type: z.enum(auditTypes),
    ...auditFacts,
    cause: cause.optional(),
    chain,
    sequence,
    at: time,
    previousHash: hash,
    keyGeneration: count,
    erased: z.literal(true).optional().meta({ description: 'Facts that name a person or an owner are pseudonyms.' }),
    hash,
  })
  .meta({
    id: 'AuditEntry',
    description: 'The hash covers everything else in the entry (docs/envelope.md).',
  });

const unreadable = z.strictObject({ sequence, unreadable: z.literal(true) }).meta({
  id: 'UnreadableAuditEntry',
  description: 'A row that holds no entry that this version can read: another writer has changed it.',
});

const entryExample = {
  type: 'AccountKeyRewrapped',
  actor: { kind: 'keyward', id: 'rewrap' },
  trigger: 'event',
  eventId: '9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001',
  before: 'https://contoso-keys.vault.azure.net/keys/media/2f1c0d9e8b7a46559483726150a1b2c3',
  after: 'https://contoso-keys.vault.azure.net/keys/media/9f1c0d9e8b7a46559483726150a1b2c3',
  keyVaultRequestId: 'c1f9a1d0-5d2e-4b5f-9d4e-0a1b2c3d4e5f',
  chain: accountExample,
  sequence: 7,
  at: '2026-11-23T19:50:00.000Z',
  keyGeneration: 1,
  previousHash: 'Y2k0b9J5m0hYb0n0xk8l3gq7Jt9zqv7w2H5EmbY0dWc',
  hash: hashExample,
};

export const entryOf = (place: number, stored: unknown): z.infer<typeof auditEntry> | z.infer<typeof unreadable> => {
  const read = auditEntry.safeParse(shownEntry(Object(stored) as AuditEntry));
  return read.success ? read.data : { sequence: place, unreadable: true };
};

const head = z
  .strictObject({ sequence: sequence.min(1), hash: z.string().regex(/^[\w-]{43}$/) })
  .meta({ id: 'AuditHead', examples: [{ sequence: 7, hash: hashExample }] });
const chainHead = z.strictObject({ sequence, hash });

const maxAnnounced = 200;

export const verificationBody = z
  .strictObject({
    after: orAbsent(head).meta({ description: '`verified` of an earlier call whose result was unfinished.' }),
    announced: orAbsent(z.array(head).max(maxAnnounced)).meta({
      description: 'Published heads of the chain, in any order. Keyward ignores those before `after`.',
    }),
  })
  .meta({ id: 'AuditVerificationInput', examples: [{}, { announced: [{ sequence: 7, hash: hashExample }] }] });

export const brokenLink = {
  account: z.string().optional().meta({ description: 'The name of the account, for the chain of one.' }),
  sequence,
  flaw: z.enum(flawNames),
  secret: z.string().optional().meta({ description: '`<kind>/<name>` where the flaw is about a secret.' }),
  meaning: z.string(),
  whoActs,
  remedy: z.string().meta({ description: 'What to type, or to do.' }),
} as const;

const verification = z
  .strictObject({
    chain,
    result: z.enum(['whole', 'broken', 'unfinished']).meta({
      description: '`unfinished`: the call has used its time and found no fault so far. Continue with `after`.',
    }),
    head: chainHead.meta({ description: 'The head as stored beside the chain.' }),
    verified: chainHead.meta({ description: 'The last link that is intact.' }),
    entries: count.meta({ description: 'Links that this call has verified.' }),
    compared: count.meta({ description: 'Published heads that this call has compared and found to match.' }),
    broken: z.strictObject(brokenLink).optional().meta({ description: 'The first broken link.' }),
  })
  .meta({
    id: 'AuditVerification',
    examples: [
      {
        chain: accountExample,
        result: 'whole',
        entries: 7,
        compared: 1,
        head: { sequence: 7, hash: hashExample },
        verified: { sequence: 7, hash: hashExample },
      },
    ],
  });

const instance = z
  .strictObject({
    accountId: guid,
    owner: z.string().meta({ description: '`(erased)` after an erasure.' }),
    head: chainHead,
    deletedAt: time.optional().meta({ description: 'Absent for the present account.' }),
    erasedAt: time.optional().meta({ description: 'When the owner and the actors were erased.' }),
  })
  .meta({ id: 'AccountInstance' });
const instanceExample = { accountId: accountExample, owner: 'contoso', head: { sequence: 7, hash: hashExample } };

const binding = z
  .strictObject({ bindingId: z.string(), key: keyIdentifier, tenantId: guid, identity, head: chainHead })
  .meta({ id: 'KeyBinding' });
const bindingListExample = {
  bindingId: bindingExample,
  key: 'https://contoso-keys.vault.azure.net/keys/media',
  tenantId: '72f988bf-86f1-41af-91ab-2d7cd011db47',
  identity: { useSystemAssignedIdentity: true },
  head: { sequence: 3, hash: hashExample },
};

const accountId = z.guid().optional().meta({
  description: 'Selects one of the accounts of this name. Default: the present one, or else the one deleted last.',
});
export const bindingIdPattern = /^[0-9a-f]{32}$/i;
const params = { bindingId: z.string().meta({ pattern: '^[0-9a-fA-F]{32}$', examples: [bindingExample] }) };

const entries = { 200: pageOf('AuditEntryList', z.union([auditEntry, unreadable]), [entryExample]) };
const verified = { body: verificationBody, answers: { 200: verification } } as const;

export const auditContracts = {
  account: {
    summary: "Reads an account's audit, also after its deletion",
    query: { accountId, ...paging },
    answers: entries,
  },
  verifyAccount: { summary: "Verifies an account's chain", query: { accountId }, ...verified },
  instances: {
    summary: 'Lists the present account of a name, and those that were deleted',
    query: paging,
    answers: { 200: pageOf('AccountInstanceList', instance, [instanceExample]) },
  },
  bindings: {
    summary: 'Lists the bindings of a key: each has a chain of its own',
    query: {
      keyIdentifier: keyIdentifier.meta({
        description: 'The key. Keyward ignores a version in it.',
        examples: [bindingListExample.key],
      }),
    },
    answers: {
      200: z.strictObject({ value: z.array(binding) }).meta({
        id: 'KeyBindingList',
        examples: [{ value: [bindingListExample] }],
      }),
    },
  },
  binding: { summary: "Reads the audit of a key's binding", params, query: paging, answers: entries },
  verifyBinding: { summary: "Verifies the chain of a key's binding", params, ...verified },
  service: { summary: "Reads the service's own audit", query: paging, answers: entries },
  verifyService: { summary: "Verifies the service's own chain", ...verified },
} as const satisfies Record<string, Contract>;
