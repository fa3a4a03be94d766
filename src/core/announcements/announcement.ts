/**
 * An announcement: one audit entry as a CloudEvent (docs/events.md). It says who, what, when and why, and carries the entry's
 * sequence number and hash: who keeps these can show later that a chain was rolled back. No key, no value, nothing wrapped.
 */
import * as z from 'zod';
import { type AuditEntry, type AuditFacts, dangerousCalls, keyPurposes, triggers } from '../audit.ts';
import { causes } from '../causes.ts';
import { errorCodes } from '../errorCatalogue.ts';
import type { ChainSubject } from '../ports.ts';

const text = z.string().min(1);

/** Every fact that an entry can have: one that is added there must be added here. */
const facts = {
  actor: z.strictObject({ kind: z.enum(['principal', 'functionKey', 'keyward']), id: text }),
  cause: z.enum(causes).optional(),
  key: text.optional(),
  keyVaultRequestId: text.optional(),
  epoch: z.int().positive().optional(),
  secrets: z.array(text).readonly().optional(),
  before: text.optional(),
  after: text.optional(),
  claim: text.optional(),
  ring: text.optional(),
  keyReleasedBy: z.iso.datetime().optional(),
  expiresOn: z.iso.datetime().optional(),
  accounts: z.int().min(0).optional(),
  trigger: z.enum(triggers).optional(),
  eventId: text.optional(),
  purpose: z.enum(keyPurposes).optional(),
  durationMs: z.number().min(0).optional(),
  asked: z.enum(dangerousCalls).optional(),
  code: z.enum(errorCodes).optional(),
  account: text.optional(),
} satisfies Record<keyof Omit<AuditFacts, 'type'>, z.ZodType>;

export const announcementSchema = z.strictObject({
  /** `<chain>/<sequence>`: the same however often it is announced. */
  id: z.string().regex(/^[\w-]+\/[1-9]\d*$/),
  source: text,
  type: z.string().regex(/^Keyward\.[A-Z]\w+$/),
  /** `/accounts/<name>`, `/bindings/<id>` or `/service`. */
  subject: z.string().regex(/^\/(accounts|bindings)\/[\w-]+$|^\/service$/),
  time: z.iso.datetime(),
  data: z.strictObject({
    chain: text,
    sequence: z.int().positive(),
    hash: z.string().length(43),
    /** Of accounts. */
    accountName: text.optional(),
    owner: text.optional(),
    accountId: text.optional(),
    /** Of bindings: the key, without a version. */
    keyIdentifier: text.optional(),
    ...facts,
  }),
});

export type Announcement = z.infer<typeof announcementSchema>;

export function announcementOf(entry: AuditEntry, subject: ChainSubject, source: string): Announcement {
  const { type, at, previousHash: _, keyGeneration: __, ...data } = entry;
  return {
    id: `${entry.chain}/${entry.sequence}`,
    source,
    type: `Keyward.${type}`,
    subject: pathOf(subject, entry.chain),
    time: at,
    data: { ...about(subject, entry.chain), ...data },
  };
}

function pathOf(subject: ChainSubject, chain: string): string {
  switch (subject.kind) {
    case 'account':
      return `/accounts/${subject.name}`;
    case 'binding':
      return `/bindings/${chain}`;
    case 'service':
      return '/service';
  }
}

function about(subject: ChainSubject, chain: string) {
  switch (subject.kind) {
    case 'account':
      return { accountName: subject.name, owner: subject.owner, accountId: chain };
    case 'binding':
      return { keyIdentifier: subject.keyIdentifier };
    case 'service':
      return {};
  }
}
