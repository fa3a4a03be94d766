/** Readiness: what the service needs, and which part of it answers. */
import { useQuery } from '@tanstack/react-query';
import { errorOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { Ago } from '../parts/time.tsx';

type Readiness = Schemas['Readiness'];

export default function Health() {
  const { api } = useConsole();
  const { data, error, refetch } = useQuery({
    queryKey: ['ready'],
    queryFn: () => readiness(api),
    refetchInterval: 10_000,
  });
  if (error !== null) return <Failure error={error} retry={refetch} />;
  if (data === undefined) return <Loading what="the health of the service" />;
  const { keys, sweep, announcements, poisonedMessages } = data;
  return (
    <>
      <p>
        The service is <Status of={data.status} />
      </p>
      {data.settings.names.length === 0 ? null : <p>Settings to correct: {data.settings.names.join(', ')}.</p>}
      <h2>Parts</h2>
      <ul className="plain">
        {data.parts.map(({ name, status, durationMs, cause, meaning }) => (
          <li key={name}>
            <Status of={status} /> {name} <span className="muted">{Math.round(durationMs)} ms</span> {cause} {meaning}
          </li>
        ))}
      </ul>
      <h2>Work</h2>
      <dl className="facts">
        <dt>Last sweep</dt>
        <dd>
          <Ago at={sweep?.lastSweptAt} />
        </dd>
        <dt>Oldest key check</dt>
        <dd>
          <Ago at={keys?.oldestCheckAt} />
        </dd>
        <dt>Poisoned messages</dt>
        <dd>{poisonedMessages ?? '–'}</dd>
        <dt>Waiting announcements</dt>
        <dd>
          {announcements?.waiting ?? '–'}
          {announcements?.oldestAgeSeconds === undefined ? '' : `, the oldest for ${announcements.oldestAgeSeconds} s`}
        </dd>
      </dl>
    </>
  );
}

/** 503 has the same body as 200: it is an answer. */
async function readiness(api: ReturnType<typeof useConsole>['api']): Promise<Readiness> {
  const { data, error, response } = await api.GET('/api/health/ready');
  if (data !== undefined) return data;
  if (response.status === 503) return error as Readiness;
  throw errorOf(error, response);
}
