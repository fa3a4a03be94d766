/** One customer key: its versions and the accounts that are still on each, and the progress of a rotation. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { bodyOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { Link, useAddress } from '../navigation.tsx';
import { Actions } from '../parts/actions.tsx';
import { Copyable } from '../parts/copyable.tsx';
import { countOf } from '../parts/count.ts';
import { accountsPath } from '../parts/links.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { Status } from '../parts/status.tsx';
import { StatusStrip, spansOf } from '../parts/statusStrip.tsx';
import { Ago, Time } from '../parts/time.tsx';
import { useChanges } from './keys.tsx';

export default function KeyView() {
  const { api } = useConsole();
  const { query } = useAddress();
  const key = query.get('key') ?? '';
  const usage = useQuery({
    queryKey: ['usage', key],
    queryFn: () => bodyOf(api.GET('/api/operator/keys/usage', { params: { query: { keyIdentifier: key } } })),
    refetchInterval: 3_000,
  });
  const changes = useChanges(api, key);
  const [checked, setChecked] = useState<Schemas['Looks']['value']>([]);
  const actions = [
    {
      label: 'Check the key now',
      run: async () =>
        setChecked((await bodyOf(api.POST('/api/operator/looks', { body: { keyIdentifier: key } }))).value),
    },
    {
      label: 'Re-wrap its accounts',
      run: () => bodyOf(api.POST('/api/operator/rewraps', { body: { keyIdentifier: key } })),
    },
  ];
  if (usage.error !== null) return <Failure error={usage.error} retry={usage.refetch} />;
  if (usage.data === undefined) return <Loading what="the key" />;
  const { versions, rotations, unusableVersions, asOf } = usage.data;
  return (
    <>
      <Copyable text={key} label="Copy the identifier" />
      <Actions of={actions}>
        <Link to={accountsPath(key)}>Its accounts</Link>
        <Link to={`/timeline?key=${encodeURIComponent(key)}`}>Its timeline</Link>
      </Actions>
      {checked.map((seen) =>
        seen.versions.map((one) => (
          <p key={one.version} role="status">
            <Status of={one.status} /> {one.version} {one.cause} {one.meaning}
          </p>
        )),
      )}
      <h2>Last 24 hours</h2>
      {changes.data === undefined ? <Loading what="the last 24 hours" /> : null}
      {/* Without a change, the usage of a key does not tell its status. */}
      {changes.data?.length === 0 ? <p className="muted">The status did not change.</p> : null}
      {changes.data === undefined || changes.data.length === 0 ? null : (
        <StatusStrip spans={spansOf(changes.data, 'Accessible', Date.now())} />
      )}
      <h2>Versions</h2>
      <p className="muted">
        As of <Time at={asOf} />
      </p>
      <ul className="plain versions">
        {versions.map(({ version, accounts, pinned, isLatest, notLatestSince, safeToDisable }) => (
          <li key={version}>
            <code>{version}</code> {isLatest === true ? <strong>latest</strong> : null}{' '}
            <Link to={accountsPath(`${key}/${version}`)}>{countOf(accounts, 'account')}</Link>
            {pinned > 0 ? `, ${pinned} pinned` : ''}.{' '}
            {safeToDisable ? <strong>Safe to disable.</strong> : 'Not safe to disable.'}{' '}
            {notLatestSince === undefined ? null : (
              <span className="muted">
                Not the latest since <Ago at={notLatestSince} />
              </span>
            )}
          </li>
        ))}
      </ul>
      {rotations.map(({ to, since, done, left, failed }) => (
        <section key={to} aria-label={`Rotation to ${to}`}>
          <h2>Rotation</h2>
          <p>
            To <code>{to}</code>, since <Ago at={since} />: {done} done, {left} left, {failed} failed.
          </p>
          <progress max={done + left} value={done} aria-label="Accounts on the new version" />
        </section>
      ))}
      {unusableVersions.map(({ version, cause, remedy }) => (
        <p key={version}>
          <Status of="warn" /> <code>{version}</code> cannot be used: {cause}. {remedy}
        </p>
      ))}
    </>
  );
}
