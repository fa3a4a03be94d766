/** Which accounts do not work, since when, who acts and with which command; and whether Keyward itself works. */
import { useQueries, useQuery } from '@tanstack/react-query';
import { Fragment } from 'react';
import { type Api, bodyOf, errorOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { Link } from '../navigation.tsx';
import { Remedy } from '../parts/copyable.tsx';
import { countOf } from '../parts/count.ts';
import { Counts } from '../parts/counts.tsx';
import { accountsPath, KeyLink, OwnerLink } from '../parts/links.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { Ago } from '../parts/time.tsx';
import { useDrills } from './drills.tsx';
import type { Key } from './keys.tsx';

const notWell = ['Inaccessible', 'Suspect', 'Unreachable', 'Unknown'] as const;
type Readiness = Schemas['Readiness'];

export default function Now() {
  const { api } = useConsole();
  const lists = useQueries({
    queries: notWell.map((status) => ({
      queryKey: ['now', status],
      queryFn: () => bodyOf(api.GET('/api/operator/keys', { params: { query: { status, $top: 50 } } })),
      refetchInterval: 5_000,
    })),
  });
  const ready = useQuery({ queryKey: ['ready'], queryFn: () => readiness(api), refetchInterval: 10_000 });
  const failed = lists.find(({ error }) => error !== null);
  const keys = lists.flatMap(({ data }) => data?.value ?? []);
  const counts = lists.find(({ data }) => data?.counts !== undefined)?.data?.counts;
  const isComplete = lists.every(({ data }) => data !== undefined);
  return (
    <>
      {failed?.error ? <Failure error={failed.error} retry={failed.refetch} /> : null}
      {!isComplete && failed === undefined ? <Loading what="what is down" /> : null}
      {isComplete && keys.length === 0 ? (
        <p className="well" role="status">
          <Status of="Accessible" /> Every customer key works.
        </p>
      ) : null}
      {keys.map((key) => (
        <Down key={key.bindingId} of={key} />
      ))}
      {counts === undefined ? null : (
        <section className="cards" aria-label="Counts">
          <div className="card">
            <h2>Accounts</h2>
            <Counts of={counts.state} to={(value) => `/accounts?state=${value}`} />
          </div>
          <div className="card">
            <h2>Data plane</h2>
            <Counts of={counts.served} to={(value) => `/accounts?served=${value}`} />
          </div>
          <div className="card">
            <h2>Keys</h2>
            <Link to="/keys">
              <span className="figure">{counts.keys.toLocaleString()}</span>
            </Link>
          </div>
        </section>
      )}
      <h2>Keyward itself</h2>
      {ready.error === null ? null : <Failure error={ready.error} retry={ready.refetch} />}
      {ready.data === undefined ? null : <Service of={ready.data} />}
      <LastDrill />
    </>
  );
}

function Down({ of }: { of: Key }) {
  const { key, owner, accounts, status, since, cause, meaning, whoActs, remedy } = of;
  return (
    <article className="card down" aria-label={`${key} is ${status}`}>
      <h2>
        <Status of={status} /> <KeyLink of={key} />
      </h2>
      <p>
        <strong>{cause}</strong> {meaning}
      </p>
      <dl className="facts">
        <dt>For whom</dt>
        <dd>
          <OwnerLink of={owner} />, <Link to={accountsPath(key)}>{countOf(accounts, 'account')}</Link>
        </dd>
        <dt>Since</dt>
        <dd>
          <Ago at={since} />
        </dd>
        <dt>Who acts</dt>
        <dd>{whoActs ?? '–'}</dd>
        <dt>What to do</dt>
        <dd>
          <Remedy text={remedy} />
        </dd>
      </dl>
    </article>
  );
}

function Service({ of: shown }: { of: Readiness }) {
  const { status, parts, sweep, keys, announcements, poisonedMessages, dailyPass, passes, settings } = shown;
  return (
    <dl className="facts">
      <dt>Readiness</dt>
      <dd>
        <Status of={status} />{' '}
        {parts
          .filter((part) => part.status === 'failed')
          .map(({ name, cause, meaning }) => `${name}: ${cause ?? 'failed'}. ${meaning ?? ''}`)
          .join(' ')}
        {settings.names.length === 0 ? '' : ` Correct the settings ${settings.names.join(', ')}.`}
      </dd>
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
      <dt>Daily pass</dt>
      <dd>
        {dailyPass === undefined
          ? '–'
          : `${dailyPass.messages - dailyPass.left} of ${dailyPass.messages} messages done`}
        {dailyPass?.expectedEndAt === undefined ? '' : `, expected end ${dailyPass.expectedEndAt}`}
      </dd>
      {passes?.map(({ name, ring = '', startedAt, done, of, expectedEndAt }) => (
        <Fragment key={`${name} ${ring}`}>
          <dt>{name === 'auditVerification' ? 'Verification of all chains' : `Rotation of the ring ${ring}`}</dt>
          <dd>
            {done.toLocaleString()}
            {of === undefined ? '' : ` of ${of.toLocaleString()}`} done, began <Ago at={startedAt} />
            {expectedEndAt === undefined ? '' : `, expected end ${expectedEndAt}`}
          </dd>
        </Fragment>
      ))}
      <dt>Announcements that wait</dt>
      <dd>
        {announcements?.waiting ?? '–'}
        {announcements?.oldestAgeSeconds === undefined ? '' : `, the oldest for ${announcements.oldestAgeSeconds} s`}
      </dd>
      <dt>Parts</dt>
      <dd>
        <ul className="plain">
          {parts.map(({ name, status: partStatus, durationMs }) => (
            <li key={name}>
              <Status of={partStatus} /> {name} <span className="muted">{Math.round(durationMs)} ms</span>
            </li>
          ))}
        </ul>
      </dd>
    </dl>
  );
}

function LastDrill() {
  const { api } = useConsole();
  const { data, error, refetch } = useDrills(api);
  if (error !== null) return <Failure error={error} retry={refetch} />;
  if (data === undefined) return null;
  const { isOn, bounds, value } = data;
  const [last] = value;
  return (
    <dl className="facts">
      <dt>Last drill</dt>
      <dd>
        {last === undefined ? (
          <Link to="/drills">{isOn ? 'None was made yet.' : 'No drill is made.'}</Link>
        ) : (
          <>
            <Status of={last.outcome} /> <Ago at={last.at} />: refused after {last.refusedSeconds ?? '–'} s of{' '}
            {bounds.refusedSeconds} s, restored after {last.restoredSeconds ?? '–'} s of {bounds.restoredSeconds} s.{' '}
            <Link to="/drills">All drills</Link>
          </>
        )}
      </dd>
    </dl>
  );
}

/** 503 has the same body as 200: it is an answer. */
async function readiness(api: Api): Promise<Readiness> {
  const { data, error, response } = await api.GET('/api/health/ready');
  if (data !== undefined) return data;
  if (response.status === 503) return error as Readiness;
  throw errorOf(error, response);
}
