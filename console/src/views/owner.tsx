/** One customer: how its accounts are, and its keys with each version that it may disable. One call answers it. */
import { bodyOf, type Schemas } from '../api.ts';
import { useConsole } from '../context.ts';
import { useList } from '../list.ts';
import { Link, nameIn, useAddress } from '../navigation.tsx';
import { Counts } from '../parts/counts.tsx';
import { KeySummary } from '../parts/keySummary.tsx';
import { accountsPath, KeyLink } from '../parts/links.tsx';
import { Empty, Failure, Loading } from '../parts/states.tsx';
import type { Key } from './keys.tsx';

export default function Owner() {
  const { api } = useConsole();
  const { path } = useAddress();
  const owner = nameIn(path) ?? '';
  const { rows, first, error, refetch, isComplete } = useList<Key, Schemas['OverviewOwner']>({
    key: ['owner', owner],
    read: (query) => bodyOf(api.GET('/api/operator/owners/{owner}', { params: { path: { owner }, query } })),
    refetchInterval: 5_000,
  });
  if (error !== null) return <Failure error={error} retry={refetch} />;
  if (rows === undefined || first === undefined) return <Loading what="the customer" />;
  const ofOwner = `owner=${encodeURIComponent(owner)}`;
  return (
    <>
      <section className="cards" aria-label="Counts">
        <div className="card">
          <h2>Accounts</h2>
          <Counts of={first.counts.state} to={(state) => `/accounts?${ofOwner}&state=${state}`} />
        </div>
        <div className="card">
          <h2>Data plane</h2>
          <Counts of={first.counts.served} to={(served) => `/accounts?${ofOwner}&served=${served}`} />
        </div>
        <div className="card">
          <h2>History</h2>
          <Link to={`/timeline?${ofOwner}`}>The last 24 hours</Link>
        </div>
      </section>
      {rows.length === 0 && isComplete ? (
        <Empty title="This customer has no key of its own.">
          Its accounts are under the system key. An account gets a customer key with PUT or PATCH.
        </Empty>
      ) : null}
      {rows.map((key) => (
        <KeySummary
          key={key.bindingId}
          of={key}
          name={<KeyLink of={key.key} />}
          accounts={(text) => <Link to={accountsPath(key.key)}>{text}</Link>}
        />
      ))}
    </>
  );
}
