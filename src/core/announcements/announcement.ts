/**
 * An announcement: one audit entry as a CloudEvent (docs/events.md). It says who, what, when and why, and carries the
 * entry's sequence number and hash, so that a subscriber who retains these can show later that a chain was rolled back.
 * It contains no key, no value of a secret and no wrapped bytes.
 */
import type * as z from 'zod';
import { type AuditEntry, shownEntry } from '../audit/auditEntry.ts';
import type { announcementSchema } from './announcementSchema.ts';

/** The subject of a chain, as an announcement names it. */
export type ChainSubject =
  | { readonly kind: 'account'; readonly name: string; readonly owner: string }
  | { readonly kind: 'binding'; readonly keyIdentifier: string }
  | { readonly kind: 'service' };

export type Announcement = z.infer<typeof announcementSchema>;

export function announcementOf(entry: AuditEntry, subject: ChainSubject, source: string): Announcement {
  const { type, at, previousHash: _, keyGeneration: __, ...data } = shownEntry(entry);
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
