/** The form of an announcement, for subscribers and documents: the app itself parses none. */
import * as z from 'zod';
import { auditFacts } from '../audit/auditFactsSchema.ts';

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
    /** Of accounts, with `accountId` of the facts. */
    accountName: text.optional(),
    owner: text.optional(),
    /** Of bindings: the key, without a version. */
    keyIdentifier: text.optional(),
    ...auditFacts,
    erased: z.literal(true).optional(),
  }),
});
