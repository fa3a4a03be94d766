/**
 * The operator's calls on the service's own rings: which keys wrap them, the progress of a rotation, and a new KEK on
 * request.
 */
import * as z from 'zod';
import { Refusal } from '../../../core/base/errors.ts';
import { fold } from '../../../core/base/names.ts';
import { type EpochMs, iso } from '../../../core/base/time.ts';
import { type RingName, ringNames } from '../../../core/base/vocabulary.ts';
import { nextRotationAt, requestRotation } from '../../../core/rings/rotateRing.ts';
import {
  createdAtOf,
  generationsOf,
  type RingRotation,
  type StoredRing,
  sealingOf,
} from '../../../core/rings/storedRing.ts';
import type { Service } from '../../../core/service.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import type { Contract, Route } from '../../pipeline/route.ts';

const time = z.iso.datetime();
const wrapping = 'https://keyward-operator.vault.azure.net/keys/system/2f1c0d9e8b7a46559483726150a1b2c3';

const ringBody = z
  .object({
    ring: z.enum(ringNames),
    sealing: z.number().describe('The generation that encrypts.'),
    since: time.optional().describe('Since when this generation encrypts.'),
    nextRotationAt: time.optional().describe('When Keyward makes the next KEK because of this one’s age.'),
    generations: z.array(
      z.object({
        generation: z.number(),
        createdAt: time.optional(),
        keys: z.array(z.string()).describe('The versions of the operator’s keys that wrap it.'),
        recoveryKeys: z.array(z.string()),
      }),
    ),
    rotation: z
      .object({
        phase: z.enum(['arriving', 'moving', 'retiring']),
        to: z.number(),
        since: time,
        pass: z
          .object({
            round: z.number(),
            startAt: time,
            visited: z.number().describe('Accounts processed in this round.'),
            found: z.number().describe('Rows under an older generation, in this round.'),
            stuck: z.number().describe('Rows of these that could not be decrypted.'),
            moved: z.number().describe('Rows sealed again, in all rounds.'),
          })
          .optional(),
      })
      .optional(),
  })
  .meta({
    id: 'Ring',
    examples: [
      {
        ring: 'system',
        sealing: 1,
        since: '2026-11-23T19:40:00.000Z',
        generations: [{ generation: 1, createdAt: '2026-11-23T19:40:00.000Z', keys: [wrapping], recoveryKeys: [] }],
      },
    ],
  });

type RingBody = z.infer<typeof ringBody>;

const ringsBody = z
  .object({
    value: z.array(ringBody),
    keysCheckedAt: time.optional().describe('When Keyward last read the newest versions of the operator’s keys.'),
    keysAnswered: z.boolean().optional().describe('Whether Keyward could read and verify all of them.'),
  })
  .meta({
    id: 'RingList',
    examples: [
      {
        value: [
          {
            ring: 'system',
            sealing: 1,
            since: '2026-11-23T19:40:00.000Z',
            generations: [{ generation: 1, createdAt: '2026-11-23T19:40:00.000Z', keys: [wrapping], recoveryKeys: [] }],
          },
        ],
        keysCheckedAt: '2026-11-23T19:44:00.000Z',
        keysAnswered: true,
      },
    ],
  });

export const ringsContract: Contract = {
  summary: 'Lists the service’s own rings, the keys that wrap them, and the progress of a rotation',
  answers: { 200: ringsBody },
};

export const rotateRingContract: Contract = {
  summary: 'Starts a new KEK for a ring, or retries the pass of a rotation that is stuck',
  params: { ring: z.enum(ringNames).meta({ examples: ['system'] }) },
  answers: { 202: ringBody },
};

/** `GET /api/operator/rings` */
const ringsRoute: RouteHandler = async ({ service }) => {
  const { rings, check } = await service.ringStore.read();
  const checked = check && { keysCheckedAt: iso(check.checkedAt), keysAnswered: !check.failed };
  const body: z.infer<typeof ringsBody> = {
    value: ringNames.map((ring) => render(ring, rings[ring], service)),
    ...checked,
  };
  return { status: 200, jsonBody: body };
};

/** `POST /api/operator/rings/{ring}/rotate` */
const rotateRingRoute: RouteHandler = async ({ request, actor, service }) => {
  const ring = ringNames.find((name) => name === fold(request.params.ring ?? ''));
  if (ring === undefined)
    throw new Refusal('InvalidParameter', `The ring must be one of ${ringNames.join(', ')}.`, { target: 'ring' });
  await requestRotation(ring, actor, service);
  const stored = (await service.ringStore.read()).rings[ring];
  return { status: 202, jsonBody: render(ring, stored, service) };
};

function render(ring: RingName, stored: StoredRing, { policy }: Pick<Service, 'policy'>): RingBody {
  const { rotation } = stored.state?.value ?? {};
  const sealing = sealingOf(stored);
  return {
    ring,
    sealing,
    ...timeOf('since', stored.state?.value.since ?? createdAtOf(stored, sealing)),
    ...timeOf('nextRotationAt', nextRotationAt(stored, policy)),
    generations: generationsOf(stored).map((generation) => {
      const rows = stored.rows.filter((row) => row.generation === generation);
      const keys = (role: string) => rows.filter((row) => row.role === role).map((row) => row.key);
      const created = timeOf('createdAt', createdAtOf(stored, generation));
      return { generation, ...created, keys: keys('operator'), recoveryKeys: keys('recovery') };
    }),
    ...(rotation === undefined ? {} : { rotation: renderRotation(rotation) }),
  };
}

function renderRotation({ phase, to, since, pass }: RingRotation): NonNullable<RingBody['rotation']> {
  if (pass === undefined) return { phase, to, since: iso(since) };
  const { round, startAt, visited, found, stuck, moved } = pass;
  return { phase, to, since: iso(since), pass: { round, startAt: iso(startAt), visited, found, stuck, moved } };
}

const timeOf = <K extends string>(name: K, at: EpochMs | undefined): Partial<Record<K, string>> =>
  at === undefined ? {} : ({ [name]: iso(at) } as Record<K, string>);

export const ringRoutes: readonly Route[] = [
  {
    name: 'operatorRings',
    method: 'GET',
    path: 'operator/rings',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: ringsContract,
    handler: ringsRoute,
  },
  {
    name: 'operatorRotateRing',
    method: 'POST',
    path: 'operator/rings/{ring}/rotate',
    scope: 'operator',
    role: 'Keys.Operate',
    contract: rotateRingContract,
    handler: rotateRingRoute,
  },
];
