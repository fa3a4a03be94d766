/**
 * An announcement: one audit entry as a CloudEvent (docs/events.md). It says who, what, when and why, and carries the
 * entry's sequence number and hash, so that a subscriber who retains these can show later that a chain was rolled back.
 * It contains no key, no value of a secret and no wrapped bytes.
 */
import * as z from 'zod';
import type { AuditEntry } from '../audit/auditEntry.ts';
import { auditFacts } from '../audit/auditFactsSchema.ts';

/** The subject of a chain, as an announcement names it. */
export type ChainSubject =
  | { readonly kind: 'account'; readonly name: string; readonly owner: string }
  | { readonly kind: 'binding'; readonly keyIdentifier: string }
  | { readonly kind: 'service' };

const text = z.string().min(1);

export const announcementSchema = z.strictObject({
  /** `<chain>/<sequence>`: the same in every repetition. */
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
    ...auditFacts,
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
