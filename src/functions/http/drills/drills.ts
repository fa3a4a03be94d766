/** `GET /api/operator/drills`: the published bounds of a revocation, and what the last drills measured. */
import * as z from 'zod';
import { defined } from '../../../core/base/defined.ts';
import { iso } from '../../../core/base/time.ts';
import { type DrillResult, drillBounds } from '../../../core/drill.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { time } from '../../pipeline/contractParts.ts';
import type { Route } from '../../pipeline/route.ts';

const seconds = z.number().min(0);
const drill = z
  .strictObject({
    at: time,
    outcome: z.enum(['met', 'missed', 'failed']),
    refusedSeconds: seconds.optional(),
    restoredSeconds: seconds.optional(),
    error: z.string().optional(),
  })
  .meta({ id: 'Drill', description: 'missed: a bound was exceeded. failed: the drill could not be made.' });

const example = {
  at: '2026-11-23T19:17:00.000Z',
  outcome: 'met',
  refusedSeconds: 71.4,
  restoredSeconds: 22.1,
} as const;

const answer = z
  .strictObject({
    isOn: z.boolean().meta({ description: 'KEYWARD_DRILL_KEY is set.' }),
    bounds: z.strictObject({ refusedSeconds: seconds, restoredSeconds: seconds }),
    value: z.array(drill).meta({ description: 'The newest first, at most 48.' }),
  })
  .meta({
    id: 'DrillList',
    examples: [{ isOn: true, bounds: { refusedSeconds: 96, restoredSeconds: 38 }, value: [example] }],
  });

const inSeconds = ({ refusedMs, restoredMs }: Pick<DrillResult, 'refusedMs' | 'restoredMs'>) =>
  defined({
    refusedSeconds: refusedMs === undefined ? undefined : refusedMs / 1000,
    restoredSeconds: restoredMs === undefined ? undefined : restoredMs / 1000,
  });

const render = ({ at, outcome, error, ...measured }: DrillResult): z.infer<typeof drill> => ({
  at: iso(at),
  outcome,
  ...inSeconds(measured),
  ...defined({ error }),
});

const handler: RouteHandler = async ({ service }) => {
  const { refusedMs, restoredMs } = drillBounds(service.policy);
  const results = (await service.drills.read())?.value ?? [];
  const bounds = { refusedSeconds: refusedMs / 1000, restoredSeconds: restoredMs / 1000 };
  return { status: 200, jsonBody: { isOn: service.canaryKey !== undefined, bounds, value: results.map(render) } };
};

export const drillRoutes: readonly Route[] = [
  {
    name: 'operatorDrills',
    method: 'GET',
    path: 'operator/drills',
    scope: 'operator',
    role: 'Keys.Operate',
    handler,
    contract: {
      summary: 'The published bounds of a revocation, and what the last drills measured',
      answers: { 200: answer },
    },
  },
];
