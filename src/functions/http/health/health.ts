/**
 * Liveness: the process answers. The route is public and calls no other service. Readiness: which dependencies answer,
 * the age of the last sweep, and the state of the keys. Its role is Audit.Read, because a monitoring program reads
 * facts about the whole service and changes nothing.
 */

import type { HttpResponseInit } from '@azure/functions';
import * as z from 'zod';
import { SettingsError } from '../../../azure/compose.ts';
import type { Backlog } from '../../../core/announcements/outboxPass.ts';
import { causes, meaningOf } from '../../../core/base/causes.ts';
import { defined } from '../../../core/base/defined.ts';
import { iso } from '../../../core/base/time.ts';
import { ringNames } from '../../../core/base/vocabulary.ts';
import type { DailyProgress } from '../../../core/dailyProgress.ts';
import {
  type HealthCheckResult,
  type HealthFailure,
  type KeyCounts,
  type PoisonQueue,
  type Readiness,
  readiness,
} from '../../../core/health.ts';
import type { PassProgress } from '../../../core/passProgress.ts';
import type { Service } from '../../../core/service.ts';
import { wrongAuthSettings } from '../../pipeline/authSettings.ts';
import type { BareHandler } from '../../pipeline/call.ts';
import type { Route } from '../../pipeline/route.ts';
import { keyward } from '../../pipeline/service.ts';
import { alive } from './live.ts';

const aliveSchema = z
  .strictObject({ status: z.literal('alive') })
  .meta({ id: 'Alive', examples: [{ status: 'alive' }] });

const liveRoute: BareHandler = async () => alive;

const count = z.int().min(0);
const readySchema = z.strictObject({
  status: z.enum(['ready', 'notReady']),
  settings: z.strictObject({ status: z.enum(['ok', 'failed']), names: z.array(z.string()) }),
  parts: z.array(
    z.strictObject({
      name: z.enum(['tables', 'queue', 'operatorVault', 'keyChecks', 'announcementTopic']),
      status: z.enum(['ok', 'failed']),
      durationMs: z.number(),
      cause: z.enum([...causes, 'AnnouncementsLate', 'KeyChecksLate']).optional(),
      meaning: z.string().optional(),
    }),
  ),
  sweep: z.strictObject({ lastSweptAt: z.iso.datetime(), ageSeconds: count }).optional(),
  keys: z
    .strictObject({
      Accessible: count,
      Suspect: count,
      Inaccessible: count,
      Unreachable: count,
      Unknown: count.meta({ description: 'Keys that Keyward has not checked for too long.' }),
      isComplete: z.boolean(),
      countedAt: z.iso.datetime(),
      oldestCheckAt: z.iso.datetime().optional(),
    })
    .optional(),
  poisonedMessages: count.optional(),
  poisonQueues: z
    .array(z.strictObject({ queue: z.string(), messages: count, meaning: z.string(), remedy: z.string() }))
    .optional()
    .meta({ description: 'The poison queues that hold messages.' }),
  dailyPass: z
    .strictObject({
      startedAt: z.iso.datetime(),
      messages: count,
      left: count,
      expectedEndAt: z.iso.datetime().optional(),
    })
    .optional(),
  passes: z
    .array(
      z.strictObject({
        name: z.enum(['auditVerification', 'ringRotation']),
        ring: z.enum(ringNames).optional(),
        startedAt: z.iso.datetime(),
        done: count,
        of: count.optional(),
        expectedEndAt: z.iso.datetime().optional(),
      }),
    )
    .optional(),
  announcements: z
    .strictObject({ waiting: count, isComplete: z.boolean(), oldestAgeSeconds: count.optional() })
    .optional(),
});
const ready = readySchema.meta({
  id: 'Readiness',
  examples: [
    {
      status: 'ready',
      settings: { status: 'ok', names: [] },
      parts: [{ name: 'tables', status: 'ok', durationMs: 4 }],
      sweep: { lastSweptAt: '2026-11-23T19:49:00.000Z', ageSeconds: 12 },
      keys: {
        Accessible: 41,
        Suspect: 0,
        Inaccessible: 1,
        Unreachable: 0,
        Unknown: 0,
        isComplete: true,
        countedAt: '2026-11-23T19:49:10.000Z',
        oldestCheckAt: '2026-11-23T19:49:02.000Z',
      },
      poisonedMessages: 0,
      dailyPass: {
        startedAt: '2026-11-23T19:30:00.000Z',
        messages: 5064,
        left: 2110,
        expectedEndAt: '2026-11-23T20:02:42.000Z',
      },
      passes: [{ name: 'auditVerification', startedAt: '2026-11-23T19:30:00.000Z', done: 4100 }],
      announcements: { waiting: 0, isComplete: true },
    },
  ],
});

/** 200, or 503 with the same body. The body names settings that are missing or wrong, but never their values. */
const readyRoute: BareHandler = async () => {
  const names = wrongAuthSettings();
  if (names.length > 0) return withoutSettings(names);
  try {
    const service = await keyward();
    return answer(await readiness(service), service);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return withoutSettings(error.settings);
  }
};

const withoutSettings = (names: readonly string[]): HttpResponseInit =>
  answerOf(503, { status: 'notReady', settings: { status: 'failed', names: [...names] }, parts: [] });

function answer(
  { isReady, checks, sweep, keys, poisoned, dailyPass, passes, announcements }: Readiness,
  { clock }: Service,
): HttpResponseInit {
  const { lastSweptAt } = sweep ?? {};
  return answerOf(isReady ? 200 : 503, {
    status: isReady ? 'ready' : 'notReady',
    settings: { status: 'ok', names: [] },
    parts: checks.map(renderCheck),
    ...(lastSweptAt === undefined ? {} : { sweep: ageOf(lastSweptAt, clock.now()) }),
    ...(keys === undefined ? {} : { keys: renderKeys(keys) }),
    ...defined({
      poisonedMessages: poisoned?.reduce((sum, { messages }) => sum + messages, 0),
      poisonQueues: poisoned?.filter(({ messages }) => messages > 0).map(renderPoison),
      dailyPass: dailyPass && renderPass(dailyPass),
      passes: passes?.map(renderPass),
    }),
    ...(announcements === undefined ? {} : { announcements: renderBacklog(announcements, clock.now()) }),
  });
}

const renderPoison = ({ queue, messages }: PoisonQueue) => ({
  queue,
  messages,
  meaning:
    'Work that failed five times. Keyward logs each of its messages within a minute and removes it. A message that stays is not base64: another program has sent it.',
  remedy: `Read what stays: ${peek(queue)}. Then remove it: ${clear(queue)}`,
});

/** The reader knows the storage account of the Functions host; Keyward's core does not. */
const peek = (queue: string): string =>
  `az storage message peek --queue-name ${queue} --account-name "$HOST_STORAGE" --auth-mode login --num-messages 32`;
const clear = (queue: string): string =>
  `az storage message clear --queue-name ${queue} --account-name "$HOST_STORAGE" --auth-mode login`;

const renderPass = <Pass extends DailyProgress | PassProgress>({ startedAt, expectedEndAt, ...counts }: Pass) => ({
  startedAt: iso(startedAt),
  ...counts,
  ...defined({ expectedEndAt: expectedEndAt === undefined ? undefined : iso(expectedEndAt) }),
});

const renderCheck = (check: HealthCheckResult) => ({
  ...check,
  ...(check.cause === undefined ? {} : { meaning: meaningOfFailure(check.cause) }),
});

function meaningOfFailure(cause: HealthFailure): string {
  switch (cause) {
    case 'AnnouncementsLate':
      return 'Audit entries have waited for more than three minutes to be published.';
    case 'KeyChecksLate':
      return 'A key, or every key, was not checked for more than three minutes: Keyward could miss a revocation.';
    default:
      return meaningOf(cause);
  }
}

const renderKeys = ({ byStatus, isComplete, countedAt, oldestLookAt }: KeyCounts) => ({
  ...byStatus,
  isComplete,
  countedAt: iso(countedAt),
  ...defined({ oldestCheckAt: oldestLookAt === undefined ? undefined : iso(oldestLookAt) }),
});

const renderBacklog = ({ oldestAt, ...counts }: Backlog, now: number) => ({
  ...counts,
  ...(oldestAt === undefined ? {} : { oldestAgeSeconds: Math.max(0, Math.round((now - oldestAt) / 1000)) }),
});

const ageOf = (at: number, now: number) => ({
  lastSweptAt: iso(at),
  ageSeconds: Math.max(0, Math.round((now - at) / 1000)),
});

const answerOf = (status: 200 | 503, jsonBody: z.infer<typeof ready>): HttpResponseInit => ({
  status,
  headers: status === 200 ? { 'Cache-Control': 'no-store' } : { 'Retry-After': '10' },
  jsonBody,
});

const role = 'Audit.Read';

export const healthRoutes: readonly Route[] = [
  {
    name: 'healthLive',
    method: 'GET',
    path: 'health/live',
    scope: 'public',
    role,
    bare: liveRoute,
    contract: { summary: 'Answers while the process runs', answers: { 200: aliveSchema } },
  },
  {
    name: 'healthReady',
    method: 'GET',
    path: 'health/ready',
    scope: 'operator',
    namesSettings: true,
    role,
    bare: readyRoute,
    contract: {
      summary: 'Lists the dependencies of this service and whether each one answers',
      answers: { 200: ready, 503: ready },
      headers: { 200: ['Cache-Control'] },
    },
  },
];
