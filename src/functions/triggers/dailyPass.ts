/**
 * Once a day a timer starts the pass, and queue messages continue it page by page, so that no invocation does all of
 * it. The same queue carries other background work: re-encrypting secrets under a new account key, the service's own
 * rings, and publishing announcements.
 */
import type { StorageQueueHandler, TimerHandler } from '@azure/functions';
import * as z from 'zod';
import { removeStaleNames } from '../../core/accounts/directoryNames.ts';
import { deleteOrphanedSecrets } from '../../core/ams/orphanedSecrets.ts';
import { continueOperation } from '../../core/ams/runOperation.ts';
import { clearOperations } from '../../core/ams/storedOperations.ts';
import { announceWaiting } from '../../core/announcements/outboxPass.ts';
import { reportLateVerification, verifyAllChains } from '../../core/attestation/verifyAllChains.ts';
import { defined } from '../../core/base/defined.ts';
import { maxAccountNameLength } from '../../core/base/names.ts';
import { ringNames } from '../../core/base/vocabulary.ts';
import { beginDailyPass, clearRange, divideAccounts, processAccounts } from '../../core/dailyPass.ts';
import { compareOwners } from '../../core/overview/compareIndex.ts';
import { workOnPass } from '../../core/reseal/resealPass.ts';
import { lookAtOperatorKeys } from '../../core/rings/maintainRings.ts';
import { rekeySecrets } from '../../core/secrets/rekeySecrets.ts';
import { inInvocation, keyward, log } from '../pipeline/service.ts';

const vaultId = z.string().regex(/^[0-9a-f]{32}$/);

export const dailyMessage = z.union([
  // A row key or a partition key, also of a row that another writer made.
  z.strictObject({
    visit: z.literal('accounts'),
    after: z.string().max(512).optional(),
    until: z.string().max(512).optional(),
  }),
  z.strictObject({ visit: z.literal('names'), after: z.string().max(1025).optional() }),
  z.strictObject({ visit: z.literal('overview'), after: z.string().max(128).optional() }),
  z.strictObject({
    visit: z.literal('rows'),
    range: z.int().min(0),
    of: z.int().min(1).max(4096),
    after: vaultId.optional(),
  }),
  z.strictObject({
    visit: z.literal('secrets'),
    account: z.string().max(maxAccountNameLength),
    pauses: z.number().optional(),
  }),
  z.strictObject({ visit: z.literal('ring'), ring: z.enum(ringNames) }),
  z.strictObject({ visit: z.literal('operatorKeys'), requestedAt: z.number() }),
  // A partition key and a row key, of 512 characters each at most.
  z.strictObject({ visit: z.literal('announcements'), after: z.string().max(1025).optional() }),
  z.strictObject({ visit: z.literal('operation'), operation: z.string().max(64) }),
  z.strictObject({ visit: z.literal('operations') }),
  z.strictObject({ visit: z.literal('chains') }),
  z.strictObject({
    visit: z.literal('unnamed'),
    account: z.string().max(maxAccountNameLength),
    after: z.string().max(300).optional(),
  }),
]);

export const startDailyPass: TimerHandler = (_timer, context) =>
  inInvocation(context, async () => {
    const service = await keyward();
    const { dailyQueue } = service;
    await reportLateVerification(service);
    await beginDailyPass(service);
    await dailyQueue.send({ visit: 'names' });
    await dailyQueue.send({ visit: 'chains' });
    await dailyQueue.send({ visit: 'operations' });
    await dailyQueue.send({ visit: 'overview' });
  });

export const dailyPass: StorageQueueHandler = (input, context) =>
  inInvocation(context, async () => {
    const message = dailyMessage.safeParse(input);
    if (!message.success) return log.error('Dropped a malformed daily pass message');
    const service = await keyward();
    if (message.data.visit === 'rows') {
      const { cleared, next } = await clearRange(defined(message.data), service);
      service.log.info('Deleted stale rows of accounts', { range: message.data.range, cleared });
      return next === undefined ? undefined : service.dailyQueue.send(defined({ ...message.data, after: next }));
    }
    if (message.data.visit === 'secrets') {
      const next = await rekeySecrets(message.data, service);
      return next && service.dailyQueue.send(next.work, next.delayMs);
    }
    if (message.data.visit === 'overview') {
      const owner = await compareOwners(message.data.after, service);
      return owner === undefined ? undefined : service.dailyQueue.send({ visit: 'overview', after: owner });
    }
    if (message.data.visit === 'names') {
      const next = await removeStaleNames(message.data.after, service);
      return next === undefined ? undefined : service.dailyQueue.send({ visit: 'names', after: next });
    }
    if (message.data.visit === 'ring') return workOnPass(message.data.ring, service);
    if (message.data.visit === 'operatorKeys') return lookAtOperatorKeys(message.data.requestedAt, service);
    if (message.data.visit === 'announcements') return announceWaiting(message.data.after, service);
    if (message.data.visit === 'operation') return continueOperation(message.data.operation, service);
    if (message.data.visit === 'operations')
      return (await clearOperations(service)) ? service.dailyQueue.send({ visit: 'operations' }) : undefined;
    if (message.data.visit === 'chains')
      return (await verifyAllChains(service)) ? service.dailyQueue.send({ visit: 'chains' }) : undefined;
    if (message.data.visit === 'unnamed') {
      const next = await deleteOrphanedSecrets(message.data, service);
      return next && service.dailyQueue.send(next);
    }
    const { after: from, until } = message.data;
    const after = await (until === undefined ? divideAccounts(from, service) : processAccounts(from, service, until));
    if (after !== undefined) await service.dailyQueue.send(defined({ visit: 'accounts', after, until } as const));
  });
