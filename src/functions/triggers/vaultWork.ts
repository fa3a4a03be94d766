/**
 * Queue trigger: the work of one vault, or of a range of vaults in a sweep. It logs and drops a message that Keyward
 * did not write, because a retry would fail too.
 */
import type { StorageQueueHandler } from '@azure/functions';
import * as z from 'zod';
import { triggers } from '../../core/audit/auditFacts.ts';
import { sweepRanges } from '../../core/vaultWork/sweep.ts';
import { workOnVault } from '../../core/vaultWork/vaultWork.ts';
import { noticeOverdueSweep } from '../pipeline/overdueSweep.ts';
import { inInvocation, keyward, log } from '../pipeline/service.ts';

const maxRanges = 4096;
const sweepMessage = z.union([
  z.strictObject({ range: z.int().min(0), of: z.int().min(1).max(maxRanges) }).refine(({ range, of }) => range < of),
  z.strictObject({ allRanges: z.int().min(1).max(maxRanges) }),
]);
const message = z.object({
  vault: z.string().regex(/^[0-9a-f]{32}$/),
  lookNow: z.object({ keyName: z.string().max(127).optional() }).optional(),
  requestedBy: z.enum(triggers),
  eventId: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .optional(),
});

export const vaultWork: StorageQueueHandler = (input, context) =>
  inInvocation(context, async () => {
    const parsed = z.union([sweepMessage, message]).safeParse(input);
    if (!parsed.success) return log.error('Dropped a malformed vault work message');
    const work = parsed.data;
    const service = await keyward();
    await noticeOverdueSweep(service);
    if (!('vault' in work)) return sweepRanges(work, service);
    const { vault, lookNow, requestedBy, eventId } = work;
    const { keyName } = lookNow ?? {};
    const wanted = lookNow === undefined ? {} : { lookNow: keyName === undefined ? {} : { keyName } };
    const event = eventId === undefined ? {} : { eventId };
    await workOnVault({ vault, requestedBy, ...event, ...wanted }, service);
  });
