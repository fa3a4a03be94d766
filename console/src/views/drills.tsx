/** The revocation drill: what it measured, against the bounds that Keyward publishes (docs/operations.md). */
import { useQuery } from '@tanstack/react-query';
import { type Api, bodyOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { BoundChart } from '../parts/boundChart.tsx';
import { type Column, DataTable } from '../parts/dataTable.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { Time } from '../parts/time.tsx';

type Drill = Schemas['Drill'];

export const useDrills = (api: Api) =>
  useQuery({ queryKey: ['drills'], queryFn: () => bodyOf(api.GET('/api/operator/drills')), refetchInterval: 15_000 });

const seconds = (value: number | undefined) => (value === undefined ? '–' : `${value.toFixed(1)} s`);

const columns: readonly Column<Drill>[] = [
  { name: 'At', width: '200px', cell: ({ at }) => <Time at={at} /> },
  { name: 'Outcome', width: '120px', cell: ({ outcome }) => <Status of={outcome} /> },
  { name: 'Refused after', width: '120px', cell: ({ refusedSeconds }) => seconds(refusedSeconds) },
  { name: 'Restored after', width: '120px', cell: ({ restoredSeconds }) => seconds(restoredSeconds) },
  { name: 'Why it was not made', width: '2fr', cell: ({ error }) => error ?? '–' },
];

export default function Drills() {
  const { api } = useConsole();
  const { data, error, refetch } = useDrills(api);
  if (error !== null) return <Failure error={error} retry={refetch} />;
  if (data === undefined) return <Loading what="the drills" />;
  const { isOn, bounds, value } = data;
  return (
    <>
      <p>
        In a drill, Keyward disables a canary key of the operator, and measures how long its account is still served.
        Then it enables the key, and measures how long the account is still refused.
      </p>
      {isOn ? null : (
        <Empty title="No drill is made.">
          Name a canary key in the setting <code>KEYWARD_DRILL_KEY</code>: docs/operations.md, &quot;The revocation
          drill&quot;.
        </Empty>
      )}
      {isOn && value.length === 0 ? (
        <Empty title="No drill was made yet.">The first one begins seventeen minutes past the hour.</Empty>
      ) : null}
      <h2>Bounds</h2>
      <BoundChart
        title="Refused after the key was disabled"
        boundSeconds={bounds.refusedSeconds}
        values={value.map(({ at, refusedSeconds }) => ({ at, seconds: refusedSeconds })).toReversed()}
      />
      <BoundChart
        title="Restored after the key was enabled"
        boundSeconds={bounds.restoredSeconds}
        values={value.map(({ at, restoredSeconds }) => ({ at, seconds: restoredSeconds })).toReversed()}
      />
      {value.length === 0 ? null : (
        <>
          <h2>History</h2>
          <DataTable label="Drills" columns={columns} rows={value} keyOf={({ at }) => at} />
        </>
      )}
    </>
  );
}
