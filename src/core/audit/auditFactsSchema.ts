/** The facts of an audit entry as the operator's calls and announcements return them. */
import * as z from 'zod';
import { causes } from '../base/causes.ts';
import { errorCodes } from '../base/errorCatalogue.ts';
import { dataKeyOperations } from '../base/vocabulary.ts';
import { type AuditFacts, keyPurposes, sensitiveCalls, triggers } from './auditFacts.ts';

const text = z.string().min(1);
const count = z.int().min(0);

/** Every fact that an entry can have. Add a new fact here and in docs/events.md. */
export const auditFacts = {
  actor: z.strictObject({ kind: z.enum(['principal', 'functionKey', 'customerLink', 'keyward']), id: text }),
  trigger: z.enum(triggers).optional().meta({ description: 'What started the work when no caller requested it.' }),
  eventId: text.optional().meta({ description: 'The id that the sender wrote. Keyward does not verify it.' }),
  cause: z.enum(causes).optional(),
  key: text.optional(),
  keyVaultRequestId: text.optional(),
  epoch: count.optional(),
  secrets: z.array(text).readonly().optional(),
  before: text.optional(),
  after: text.optional(),
  claim: text.optional(),
  ring: text.optional(),
  row: text.optional(),
  identity: text.optional(),
  owners: z.array(text).readonly().optional(),
  keyReleasedBy: z.iso.datetime().optional(),
  lastUsedAt: z.iso.datetime().optional(),
  firstRefusedAt: z.iso.datetime().optional(),
  confirmedAt: z.iso.datetime().optional(),
  firstKeyVaultRequestId: text.optional(),
  expiresOn: z.iso.datetime().optional(),
  scheduledPurgeAt: z.iso.datetime().optional(),
  accounts: count.optional(),
  purpose: z.enum(keyPurposes).optional(),
  durationMs: z.number().min(0).optional(),
  operation: z.enum(dataKeyOperations).optional(),
  count: count.optional(),
  contexts: z.array(text).readonly().optional(),
  asked: z.enum(sensitiveCalls).optional(),
  code: z.enum(errorCodes).optional(),
  link: text.optional(),
  call: text.optional(),
  account: text.optional(),
  accountId: text.optional(),
} satisfies Record<keyof Omit<AuditFacts, 'type'>, z.ZodType>;
